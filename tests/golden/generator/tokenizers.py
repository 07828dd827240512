"""Small `tokenizer.json` of every kind, and what Hugging Face's `tokenizers` makes of texts with them."""

import json
from pathlib import Path

import tokenizers
from tokenizers import (
    AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers,
)  # fmt: skip

CORPUS = [
    "the quick brown fox jumps over the lazy dog",
    "a stirring , funny and finally transporting re imagining of beauty and the beast",
    "How far is it from Denver to Aspen ?",
    "Unbelievable! He said: \"I'll be there at 10:30, won't I?\"",
    "这个宾馆比较陈旧了，特价的房间也很一般。总体来说一般",
    "很快，好吃，味道足，量大",
    "query: 今天天气怎么样 query: what is the weather like today",
    "crème brûlée, naïve façade, Ångström",
]
TEXTS = [
    "",
    " ",
    "the quick brown fox",
    "  The   QUICK\tbrown\nfox!  ",
    "Crème brûlée won't be 12345 unbelievable-ness",
    "这个房间很一般，房间也好吃。",
    "mixed 中文 and English, 好吃 dog",
    "🙂 emoji 👩‍👩‍👧 and \u200bzero\u00a0width",
    "[MASK] of <mask> and [SEP] </s>",
    "unknown ☃ ꙮ \U0001f9ff",
    "long " + "the lazy dog jumps over 很快 " * 40,
]
PAIRS = [
    ("the quick brown fox", "a lazy dog"),
    ("", "这个宾馆"),
    ("the lazy dog " * 6, "brown fox"),
    ("brown fox", "the lazy dog " * 6),
    ("the lazy dog " * 6, "房间很一般 " * 5),
]


def wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=260, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.decoder = decoders.WordPiece()
    # Both are to be ignored: batches are never padded, and the length is given otherwise.
    tokenizer.enable_padding(length=24, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(max_length=7)
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=180, special_tokens=special, unk_token="<unk>", show_progress=False))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def bytes_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def regex_bpe() -> Tokenizer:
    """With an expression that looks ahead, as newer models have it, and without any marks of beginning and end."""
    tokenizer = Tokenizer(models.BPE())
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def words() -> Tokenizer:
    """Whole words, few enough for the models of `tests/golden/transformers`, whose vocabulary is 40."""
    names = "[PAD] [UNK] [CLS] [SEP] a the film is was and very quite story plot actor scene good bad ! ?".split()
    vocabulary = {word: index for index, word in enumerate(names)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


KINDS = {"wordpiece": wordpiece, "unigram": unigram, "bytes_bpe": bytes_bpe, "regex_bpe": regex_bpe}


def encoded(tokenizer: Tokenizer, first: str, second: str | None, most: int | None, strategy: str, prefix: str) -> dict:
    if most is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_length=most, strategy=strategy.replace("-", "_"))
    one = tokenizer.encode(prefix + first, None if second is None else prefix + second)
    case = {"first": first, "second": second, "max_tokens": most, "truncation": strategy, "prefix": prefix}
    return case | {"token_ids": one.ids, "token_types": one.type_ids, "is_truncated": bool(one.overflowing)}


def write_cases(folder: Path) -> None:
    (folder / "words.json").write_text(words().to_str(), encoding="utf-8")
    for name, build in KINDS.items():
        file = folder / f"{name}.json"
        if not file.exists():  # training sums in the order of its threads
            file.write_text(build().to_str(), encoding="utf-8")
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_padding()
        cases = [encoded(tokenizer, text, None, None, "longest-first", "") for text in TEXTS]
        cases += [encoded(tokenizer, text, None, most, "longest-first", "") for text in TEXTS for most in (5, 32)]
        cases += [encoded(tokenizer, text, None, 16, "longest-first", "query: ") for text in TEXTS[:6]]
        cases += [encoded(tokenizer, *pair, None, "longest-first", "") for pair in PAIRS]
        cases += [encoded(tokenizer, *pair, most, "longest-first", "") for pair in PAIRS for most in (7, 12, 13, 20)]
        cases += [encoded(tokenizer, *pair, 20, "longest-first", "query: ") for pair in PAIRS]
        for strategy, pair in (("only-first", PAIRS[2]), ("only-second", PAIRS[3])):
            cases += [encoded(tokenizer, *pair, most, strategy, "") for most in (14, 17)]
        record = {"tokenizers": tokenizers.__version__, "vocabulary_size": tokenizer.get_vocab_size(), "cases": cases}
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in record.pop("cases"))
        head = json.dumps(record, ensure_ascii=False)[:-1]
        (folder / f"{name}.cases.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")
