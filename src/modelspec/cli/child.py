"""The process that renders templates which nobody vouches for: `python -m modelspec.cli.child`.

Its parent puts limits on its memory, its time and what it may write, and kills it when it goes over them.
It reads and writes the frames of `tree.frames`; it opens no file and imports nothing that a template names.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

from modelspec.compile.render import HoleRenderer
from modelspec.tree.frames import FrameError, read_request, write_reply
from modelspec.tree.protocols import Rendered, RenderFault


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer request after request until there are no more."""
    renderer = HoleRenderer()
    for line in requests:
        replies.write(write_reply(_answer(renderer, line)))
        replies.flush()


def _answer(renderer: HoleRenderer, line: bytes) -> Rendered | RenderFault:
    try:
        source, context = read_request(line)
    except FrameError as error:
        return RenderFault("render-bounded", f"the renderer was asked wrongly: {error}")
    return renderer.render(source, context)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
