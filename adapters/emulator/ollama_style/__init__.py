"""The API of Ollama: chat, generation, embeddings, models, pulls, errors."""
