"""OpenAI's routes as the servers speak them that people run themselves: TGI, vLLM, OVMS, OPEA.

They know fewer parameters than OpenAI, pass over those that they do not know, and each writes the
members of an answer its own way: a `Server` says how.
"""
