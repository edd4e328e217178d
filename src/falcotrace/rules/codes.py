"""Falco's result codes and item types, spelled as Falco spells them: people search for them."""

import enum


class LoadCode(enum.StrEnum):
    """What a diagnostic about rules is about; errors are fatal for the file.

    Source: falco 13074749 userspace/engine/falco_load_result.cpp.
    """

    ERR_FILE_READ = "LOAD_ERR_FILE_READ"
    ERR_YAML_PARSE = "LOAD_ERR_YAML_PARSE"
    ERR_YAML_VALIDATE = "LOAD_ERR_YAML_VALIDATE"
    ERR_COMPILE_CONDITION = "LOAD_ERR_COMPILE_CONDITION"
    ERR_COMPILE_OUTPUT = "LOAD_ERR_COMPILE_OUTPUT"
    ERR_VALIDATE = "LOAD_ERR_VALIDATE"
    UNKNOWN_SOURCE = "LOAD_UNKNOWN_SOURCE"
    UNSAFE_NA_CHECK = "LOAD_UNSAFE_NA_CHECK"
    NO_EVTTYPE = "LOAD_NO_EVTTYPE"
    UNKNOWN_FILTER = "LOAD_UNKNOWN_FILTER"
    UNUSED_MACRO = "LOAD_UNUSED_MACRO"
    UNUSED_LIST = "LOAD_UNUSED_LIST"
    UNKNOWN_ITEM = "LOAD_UNKNOWN_ITEM"
    UNKNOWN_KEY = "LOAD_UNKNOWN_KEY"
    DEPRECATED_ITEM = "LOAD_DEPRECATED_ITEM"
    APPEND_NO_VALUES = "LOAD_APPEND_NO_VALUES"
    EXCEPTION_NAME_NOT_UNIQUE = "LOAD_EXCEPTION_NAME_NOT_UNIQUE"
    INVALID_MACRO_NAME = "LOAD_INVALID_MACRO_NAME"
    INVALID_LIST_NAME = "LOAD_INVALID_LIST_NAME"
    COMPILE_CONDITION = "LOAD_COMPILE_CONDITION"


class ItemKind(enum.StrEnum):
    """Links of the chain that leads to a diagnostic."""

    ITEM = "rules content item"
    ENGINE_VERSION = "required_engine_version"
    PLUGIN_VERSIONS = "required plugin versions"
    PLUGIN_ENTRY = "required plugin versions entry"
    PLUGIN_ALTERNATIVE = "required plugin versions alternative"
    LIST = "list"
    LIST_ITEM = "list item"
    MACRO = "macro"
    MACRO_CONDITION = "macro condition"
    RULE = "rule"
    RULE_CONDITION = "rule condition"
    CONDITION = "condition expression"
    OUTPUT = "rule output"
    PRIORITY = "rule priority"
    EXCEPTIONS = "exceptions"
    EXCEPTION = "exception"
    EXCEPTION_VALUES = "exception values"
    EXCEPTION_VALUE = "exception value"
    OVERRIDES = "overrides"
    VALUE_FOR = "value for"
