"""The API of Gemini: generation, embeddings, token counts, models, errors."""
