"""The dialect of OpenAI, which several other servers speak: operations, errors and headers."""
