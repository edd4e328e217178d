"""The vocabulary: tables of fields, columns, events, flags, operators, derived functions."""
