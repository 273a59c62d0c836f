"""The trace format for people and programs, made of the fields that the judge reads by: a page, and JSON Schemas."""
def format_text() -> str:
    return ""
