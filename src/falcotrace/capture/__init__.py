"""The capture file: schema, footer, writer, reader."""
