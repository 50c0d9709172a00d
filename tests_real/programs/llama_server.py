"""Serves a model with llama.cpp's own server: MODEL PORT KEY [PREFIX] [--embedding]."""

from __future__ import annotations

import argparse
import signal

import xllamacpp


def main() -> None:
    """Serve until somebody stops this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--embedding", action="store_true")
    arguments = parser.parse_args()
    _server = xllamacpp.Server(parameters(arguments))
    signal.sigwait([signal.SIGTERM])


def parameters(arguments: argparse.Namespace) -> xllamacpp.CommonParams:
    """Four calls at once, and always the same answer."""
    found = xllamacpp.CommonParams()
    found.model.path, found.model_alias = arguments.model, ["fixed"]
    found.hostnames, found.port = ["127.0.0.1"], arguments.port
    found.api_prefix, found.api_keys = arguments.prefix, [arguments.key]
    found.n_ctx, found.n_parallel = 2048, 4
    # Several threads would wait for each other in busy loops, on a machine that has other work.
    found.cpuparams.n_threads = found.cpuparams_batch.n_threads = 1
    found.warmup, found.use_jinja, found.sampling.temp = False, True, 0
    if arguments.embedding:
        found.embedding = True
        # The mean would leave out what a slot still knows of an earlier text.
        found.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
    return found


if __name__ == "__main__":
    main()
