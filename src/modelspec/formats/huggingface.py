"""How Hugging Face's files say that an image, a sound or a text becomes numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from modelspec.formats.foreign import Draft, Imported, Unreadable, words
from modelspec.formats.strictjson import LIMIT as MOST
from modelspec.formats.strictjson import read_json
from modelspec.tree.data import Data
from modelspec.tree.digest import artifact_digest, sha256

PREPROCESSOR: Final = "preprocessor_config.json"
TOKENIZER: Final = frozenset(
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
    "chat_template.jinja"]
)  # fmt: skip
"""The files that a tokenizer is made of: any of them may change which ids a text becomes."""
_DESCRIBES: Final = frozenset(
    ["image_processor_type", "feature_extractor_type", "processor_class", "_processor_class", "auto_map",
    "name_or_path", "_name_or_path", "transformers_version", "return_attention_mask"]
)  # fmt: skip
_TEXTS: Final = ("padding_side", "truncation_side", "model_max_length")
LIMIT: Final = 64 * 1024 * 1024
"""The most bytes of one of these files: vocabularies of a quarter of a million words have 33 MB."""
_LENGTH: Final = 1_000_000
"""Beyond this, `model_max_length` is how Hugging Face writes that there is none."""


def from_files(files: Mapping[str, bytes]) -> Imported:
    """Return the fields that a folder's (or one file's) preprocessor and tokenizer make; raises Unreadable.

    `files`: file name -> bytes, for the names above.
    """
    draft = Draft("a Hugging Face preprocessor")
    tokens = {name: data for name, data in files.items() if name in TOKENIZER}
    if PREPROCESSOR in files:
        _preprocessor(draft, _map(PREPROCESSOR, files[PREPROCESSOR]))
    if tokens:
        _tokenizer(draft, tokens)
    if not tokens and PREPROCESSOR not in files:
        raise Unreadable(f"there is no {PREPROCESSOR} and no file of a tokenizer")
    return draft.finish()


def _map(name: str, source: bytes) -> dict[str, Any]:
    try:
        found = read_json(source)
    except Unreadable as error:
        raise Unreadable(f"{name}: {error.message}", error.fix) from None
    if not isinstance(found, dict):
        raise Unreadable(f"{name} is no map")
    return found


def _preprocessor(draft: Draft, config: dict[str, Any]) -> None:
    steps, left = _steps(config)
    if "sampling_rate" in config:
        mel = "feature_size" in config and type(config["feature_size"]) is int and config["feature_size"] > 1
        shape: list[Data] = [config["feature_size"], -1] if mel else [-1]
        name = draft.add("input_features" if mel else "input_values", "float32", shape=shape, audio=steps)
    elif {"image_mean", "do_resize", "do_normalize", "do_rescale", "image_processor_type"} & config.keys():
        high, wide = _size(config)
        name = draft.add("pixel_values", "float32", shape=[3, high, wide], image=steps)
        draft.note(name, "has three channels first: the file does not say so, its processors default to it")
    else:
        draft.lost(PREPROCESSOR, "it says nothing of images and nothing of sound")
        return
    described = sorted(key for key in _DESCRIBES & config.keys() if config[key] is not None)
    if described:
        draft.note(name, f"what describes the file is left out: {words(described)}")
    if left:
        draft.note(name, f"what is no plain value is left out: {words(left)}")


def _steps(config: dict[str, Any]) -> tuple[dict[str, Data], list[str]]:
    """Return the steps with their parameters, and the keys of what a schema can't hold."""
    steps: dict[str, Data] = {}
    left = []
    for key, value in sorted(config.items()):
        if value is None or key in _DESCRIBES:
            continue
        if _plain(value):
            steps[key] = value
        else:
            left.append(key)
    return steps, left


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) <= 32 and all(isinstance(one, int | float | str) for one in value.values())
    if isinstance(value, list):
        return len(value) <= 32 and all(isinstance(one, int | float | str) for one in value)
    return isinstance(value, bool | int | float | str)


def _size(config: dict[str, Any]) -> tuple[int, int]:
    """Return height and width of what comes out: the crop where there is one; -1 where nothing fixes it."""
    cropped = config.get("do_center_crop") and config.get("crop_size") is not None
    size = config.get("crop_size" if cropped else "size")
    if type(size) is int:
        return (size, size) if size > 0 else (-1, -1)
    if isinstance(size, dict):
        high, wide = size.get("height"), size.get("width")
        if type(high) is int and type(wide) is int and high > 0 and wide > 0:
            return high, wide
    return -1, -1


def _tokenizer(draft: Draft, files: Mapping[str, bytes]) -> None:
    digest = artifact_digest((name, sha256(data)) for name, data in files.items())
    how: dict[str, Data] = {"digest": digest}
    length = -1
    if "tokenizer_config.json" in files:
        config = _map("tokenizer_config.json", files["tokenizer_config.json"])
        how |= {key: config[key] for key in _TEXTS if isinstance(config.get(key), int | str)}
        longest = how.get("model_max_length")
        if not isinstance(longest, int) or not 0 < longest < _LENGTH:
            how.pop("model_max_length", None)
    name = draft.add("input_ids", "int64", shape=[length], tokenizer=how, range=_vocabulary(files))
    draft.note(
        name, f"the tokenizer is named by the digest of {words(sorted(files))}; what it does is not listed"
    )
    draft.note(name, "a tokenizer makes `attention_mask` beside it, which follows from the ids")


def _vocabulary(files: Mapping[str, bytes]) -> Data:
    """Return the range of the ids: those of the vocabulary and of the added tokens, where they are listed."""
    source = files.get("tokenizer.json", b"")
    if not 0 < len(source) <= MOST:
        return None
    config = _map("tokenizer.json", source)
    model, added = config.get("model"), config.get("added_tokens")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    ids: list[int] = []
    if isinstance(vocabulary, dict):
        ids += [one for one in vocabulary.values() if type(one) is int]
    elif isinstance(vocabulary, list):
        ids += [0, len(vocabulary) - 1]
    for one in added if isinstance(added, list) else ():
        if isinstance(one, dict) and type(one.get("id")) is int:
            ids.append(one["id"])
    return [min(ids), max(ids)] if ids and min(ids) >= 0 else None


def is_preprocessor(config: Mapping[str, Any]) -> bool:
    """Whether a map of JSON is a preprocessor's configuration."""
    return bool(
        {"image_processor_type", "feature_extractor_type", "image_mean", "sampling_rate", "do_resize"}
        & config.keys()
    )


def tokenizer_file(config: Mapping[str, Any]) -> str | None:
    """Return which file of a tokenizer a map of JSON is, or None."""
    if "tokenizer_class" in config:
        return "tokenizer_config.json"
    if isinstance(config.get("model"), dict) and ("added_tokens" in config or "pre_tokenizer" in config):
        return "tokenizer.json"
    return None
