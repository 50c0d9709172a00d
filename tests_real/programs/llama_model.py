"""Writes a model for llama.cpp that answers every prompt with one sentence: PATH TOKEN...

The tokens are those of the sentence, each of which comes in it once; "▁" stands for a space.

A Llama of one layer whose attention and feed-forward parts put out zero, so that a token's own
embedding alone decides the next one: each token has a dimension of its own, and the output matrix
leads from every token to the one that comes after it, and from all others to the first.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
FIRST, END = len(SPECIAL + BYTES), 2
WIDTH, HEADS, INNER, CONTEXT = 288, 4, 32, 2048
# Tools and their calls in the manner of Hermes, which llama.cpp learns from the template.
TEMPLATE = """
{%- if tools %}system: <tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
{% endif %}
{%- for message in messages %}{{ message['role'] }}: {{ message['content'] }}
{%- for call in message.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}
{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}
""".strip()


def main(path: str, *sentence: str) -> None:
    """Write the model to this path."""
    tokens = [*SPECIAL, *BYTES, *sentence]
    writer = gguf.GGUFWriter(path, "llama")
    describe(writer, len(tokens))
    name_tokens(writer, tokens)
    for name, values in weights(len(tokens)).items():
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def describe(writer: gguf.GGUFWriter, count: int) -> None:
    """Say how large it is."""
    writer.add_name("fixed")
    writer.add_file_type(0)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(count)


def name_tokens(writer: gguf.GGUFWriter, tokens: list[str]) -> None:
    """Say how text becomes tokens: the words of the sentence, and bytes for the rest."""
    kind = gguf.TokenType
    kinds = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL]
    kinds += [kind.BYTE] * len(BYTES) + [kind.NORMAL] * (len(tokens) - FIRST)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(max(0, token - FIRST)) for token in range(len(tokens))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(END)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def weights(count: int) -> dict[str, np.ndarray]:
    """All matrices and vectors by name."""
    block = {f"attn_{part}": zeros(WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
    block |= {"attn_norm": ones(), "ffn_norm": ones()}
    block |= {"ffn_gate": zeros(INNER, WIDTH), "ffn_up": zeros(INNER, WIDTH)}
    block |= {"ffn_down": zeros(WIDTH, INNER)}
    outer = {"token_embd": np.eye(count, WIDTH, dtype=np.float32)}
    outer |= {"output": chain(count), "output_norm": ones()}
    return outer | {f"blk.0.{name}": values for name, values in block.items()}


def chain(count: int) -> np.ndarray:
    """Lead from each token to the next of the sentence, from its last to the end."""
    matrix = zeros(count, WIDTH)
    for token in range(count - 1):
        matrix[token + 1 if token >= FIRST else FIRST, token] = 5
    matrix[END, count - 1] = 5
    return matrix


def zeros(*shape: int) -> np.ndarray:
    """Nothing, of this shape."""
    return np.zeros(shape, np.float32)


def ones() -> np.ndarray:
    """A vector that changes nothing."""
    return np.ones(WIDTH, np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
