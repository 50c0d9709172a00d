"""The API of Claude: messages, token counts, models, errors."""
