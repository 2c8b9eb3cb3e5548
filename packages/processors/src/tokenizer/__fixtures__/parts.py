"""Writes data/parts.json: small tokenizers of parts that no golden case has, and what Hugging Face's `tokenizers` 0.23 makes
of texts. Run with that package: python parts.py > data/parts.json"""
import base64
import json
import struct

from tokenizers import Tokenizer

TEXTS = ['The quick-brown fox, naïve 12345!', ' Über 漢字x\tÉCOLE ', "don't (stop)...  now??", 'a', '', '🎉 é\u0301 ½ Σ ΟΔΟΣ x_y',
         'unaffable unknownword', 'a . b , c !', 'İstanbul ﬁn', 'aaaa bb  cc', 'ab\u00adc\u200bd\ufeffe\x00f\x85g', 'ｶﾞx \U00020000 \u0378é\ua673́ﾞ']
words = sorted({w for t in TEXTS for w in t.split()})
characters = sorted({c for t in TEXTS for c in t} | set('abcdefghijklmnopqrstuvwxyz'))


def vocab(tokens):
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']
pieces = vocab([*special, *characters, *['##' + c for c in characters], 'the', 'quick', 'brown', 'fox', 'un', '##aff', '##able', 'na', '##ive',
                'naive', '12', '##34', 'uber', 'ecole', 'don', 'stop', 'now'])
wordpiece = dict(type='WordPiece', unk_token='[UNK]', continuing_subword_prefix='##', max_input_chars_per_word=12, vocab=pieces)
level = dict(type='WordLevel', unk_token='[UNK]', vocab=vocab([*special, *words, *characters]))
bert = dict(type='BertNormalizer', clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
around = dict(sep=['[SEP]', 3], cls=['[CLS]', 2])
wordpiece_decoder = dict(type='WordPiece', prefix='##', cleanup=True)
added = [dict(id=i, content=c, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, c in enumerate(special)]


def charsmap(entries):
    """A double-array trie of single bytes and the texts behind it: only ASCII keys."""
    units = [0] * 1024
    texts = b''
    units[0] = (256 ^ 0) << 10
    for byte, text in entries.items():
        leaf = 512 + byte
        # The node of the byte points at its leaf; offsets are XORed with the node.
        node = 256 ^ byte
        units[node] = ((node ^ leaf) << 10) | (1 << 8) | byte
        units[leaf] = (1 << 31) | len(texts)
        texts += text.encode() + b'\0'
    trie = struct.pack(f'<{len(units)}I', *units)
    return base64.b64encode(struct.pack('<I', len(trie)) + trie + texts).decode()


def split(behavior, invert=False, pattern=dict(Regex='[aeiou]+')):
    return dict(type='Split', pattern=pattern, behavior=behavior, invert=invert)


unigram = dict(type='Unigram', unk_id=1, byte_fallback=False,
               vocab=[['[PAD]', 0.0], ['[UNK]', 0.0], ['[CLS]', 0.0], ['[SEP]', 0.0], ['aa', -1.5], ['ab', -2.0], ['the', -2.0], ['fox', -2.5],
                      ['▁', -3.0], ['▁quick', -4.0], *[[c, -5.0 - i / 100] for i, c in enumerate(characters[:60])]])
bpe = dict(type='BPE', unk_token='[UNK]', fuse_unk=True, end_of_word_suffix='</w>', continuing_subword_prefix=None,
           vocab=vocab([*special, *'abcdefghijklmnopqrstuvwxyz', *[c + '</w>' for c in 'abcdefghijklmnopqrstuvwxyz'], 'aa', 'th', 'ck</w>', 'aaa', 'ox</w>', 'fox</w>']),
           merges=[['a', 'a'], ['t', 'h'], ['c', 'k</w>'], ['aa', 'a'], ['o', 'x</w>'], ['f', 'ox</w>']])
prefixed = dict(type='BPE', unk_token='[UNK]', continuing_subword_prefix='##', vocab=vocab([*special, *'abcdefxo', *['##' + c for c in 'abcdefxo'], 'ab', 'aa', '##aa', 'fo', 'fox']),
                merges=[['a', '##a'], ['##a', '##a'], ['a', '##b'], ['f', '##o'], ['fo', '##x']])

CASES = {
    'bert': dict(model=wordpiece, normalizer=bert, pre_tokenizer=dict(type='BertPreTokenizer'), post_processor=dict(type='BertProcessing', **around), decoder=wordpiece_decoder),
    'bert-cased': dict(model=wordpiece, normalizer={**bert, 'lowercase': False, 'strip_accents': True, 'handle_chinese_chars': False}, pre_tokenizer=dict(type='BertPreTokenizer'),
                       post_processor=dict(type='BertProcessing', **around), decoder={**wordpiece_decoder, 'cleanup': False}),
    'bert-plain': dict(model=wordpiece, normalizer={**bert, 'clean_text': False, 'strip_accents': False}, pre_tokenizer=dict(type='Whitespace'), decoder=wordpiece_decoder),
    'roberta': dict(model=bpe, normalizer=dict(type='Lowercase'), pre_tokenizer=dict(type='WhitespaceSplit'),
                    post_processor=dict(type='RobertaProcessing', trim_offsets=True, add_prefix_space=True, **around), decoder=dict(type='BPEDecoder', suffix='</w>')),
    'continuing': dict(model=prefixed, normalizer=dict(type='Lowercase'), pre_tokenizer=dict(type='WhitespaceSplit'), decoder=wordpiece_decoder),
    'ctc': dict(model=level, pre_tokenizer=split('Isolated', pattern=dict(Regex='.')), decoder=dict(type='CTC', pad_token='[PAD]', word_delimiter_token=' ', cleanup=True)),
    'ctc-plain': dict(model=level, pre_tokenizer=split('Isolated', pattern=dict(Regex='.')), decoder=dict(type='CTC', pad_token='a', word_delimiter_token='b', cleanup=False)),
    'fixed': dict(model=level, pre_tokenizer=dict(type='FixedLength', length=1), decoder=dict(type='Fuse')),
    'fixed-pieces': dict(model=wordpiece, pre_tokenizer=dict(type='FixedLength', length=3), decoder=wordpiece_decoder),
    'digits': dict(model=wordpiece, pre_tokenizer=dict(type='Sequence', pretokenizers=[dict(type='Digits', individual_digits=False), dict(type='WhitespaceSplit')])),
    'digits-single': dict(model=wordpiece, pre_tokenizer=dict(type='Sequence', pretokenizers=[dict(type='Digits', individual_digits=True), dict(type='Whitespace')])),
    'accents': dict(model=level, normalizer=dict(type='Sequence', normalizers=[dict(type='NFKD'), dict(type='StripAccents'), dict(type='Strip', strip_left=True, strip_right=False), dict(type='NFKC')]),
                    pre_tokenizer=dict(type='FixedLength', length=1),
                    decoder=dict(type='Sequence', decoders=[dict(type='Fuse'), dict(type='Strip', content='a', start=2, stop=0), dict(type='Replace', pattern=dict(Regex='[aeiou]'), content='*')])),
    'precompiled': dict(model=unigram, normalizer=dict(type='Sequence', normalizers=[
        dict(type='Precompiled', precompiled_charsmap=charsmap({ord('q'): 'Qu', ord('!'): '', ord('x'): 'é', ord('\t'): ' '})), dict(type='Prepend', prepend='▁'),
        dict(type='Replace', pattern=dict(String=' '), content='▁')]), decoder=dict(type='Metaspace', replacement='▁', prepend_scheme='always', split=True)),
    'template': dict(model=unigram, pre_tokenizer=dict(type='Metaspace', replacement='▁', prepend_scheme='first', split=False), post_processor=dict(
        type='TemplateProcessing', single=[dict(SpecialToken=dict(id='[CLS]', type_id=0)), dict(Sequence=dict(id='A', type_id=0)), dict(SpecialToken=dict(id='[SEP]', type_id=2))],
        pair=[dict(SpecialToken=dict(id='[CLS]', type_id=0)), dict(Sequence=dict(id='B', type_id=1)), dict(SpecialToken=dict(id='[SEP]', type_id=1)), dict(Sequence=dict(id='A', type_id=3))],
        special_tokens={'[CLS]': dict(id='[CLS]', ids=[2], tokens=['[CLS]']), '[SEP]': dict(id='[SEP]', ids=[3, 0], tokens=['[SEP]', '[PAD]'])}),
        decoder=dict(type='Metaspace', replacement='▁', prepend_scheme='first', split=True)),
}
# Added tokens of every kind; their ids in the file are not heeded.
taking = [dict(added[1], id=40 + i, content=c, special=False, **flags) for i, (c, flags) in enumerate([
    ('fox', dict(lstrip=True, rstrip=True)), ('The', dict(normalized=True)), ('don', dict(normalized=True, rstrip=True)), (' na', dict(single_word=True)), ('quick', dict(lstrip=True))])]
level_bytes = dict(level, vocab=vocab([*special, 'Ġ', 'Ġfox', 'ĠÃľber', 'quick', 'Ġquick', 'Ċ', '12345', 'ðŁİī', 'ĠðŁİī']))
byte_level = dict(type='ByteLevel', add_prefix_space=True, trim_offsets=True, use_regex=True)
CASES |= {
    'added': dict(model=level, normalizer=dict(type='Lowercase'), pre_tokenizer=dict(type='CharDelimiterSplit', delimiter=' '), post_processor=byte_level, added_tokens=[*added, *taking]),
    'added-prepended': dict(model=wordpiece, normalizer=dict(type='Prepend', prepend='▁'), decoder=dict(type='Fuse'), added_tokens=[*added, *taking]),
    'bytes-of-words': dict(model=level_bytes, pre_tokenizer=byte_level, post_processor=dict(byte_level, add_prefix_space=False), decoder=byte_level),
    'bytes-of-pieces': dict(model=wordpiece, normalizer=dict(type='ByteLevel'), pre_tokenizer=dict(type='FixedLength', length=6), decoder=byte_level),
    'bytes-of-unigrams': dict(model=unigram, pre_tokenizer=dict(byte_level, use_regex=False), decoder=byte_level),
    'nmt': dict(model=wordpiece, normalizer=dict(type='Nmt'), pre_tokenizer=dict(type='FixedLength', length=4)),
    'empty-matches': dict(model=level, normalizer=dict(type='Replace', pattern=dict(Regex='a*'), content='x'), pre_tokenizer=split('MergedWithNext', pattern=dict(Regex='o*'))),
    'removed': dict(model=level, normalizer=dict(type='Precompiled', precompiled_charsmap=charsmap({ord('T'): '', ord(' '): 'two', ord('q'): '', ord('a'): ''})), pre_tokenizer=dict(type='FixedLength', length=1)),
    'half-width': dict(model=level, normalizer=dict(type='NFKC'), pre_tokenizer=dict(type='FixedLength', length=1)),
    'spaced': dict(model=unigram, decoder=dict(type='Metaspace', replacement='a', prepend_scheme='always', split=True)),
}
for behavior in ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']:
    CASES['punctuation-' + behavior] = dict(model=wordpiece, pre_tokenizer=dict(type='Sequence', pretokenizers=[dict(type='WhitespaceSplit'), dict(type='Punctuation', behavior=behavior)]))
    CASES['split-' + behavior] = dict(model=wordpiece, pre_tokenizer=split(behavior))
    CASES['inverted-' + behavior] = dict(model=wordpiece, pre_tokenizer=split(behavior, True))


def result(tokenizer, text, pair=None):
    encoding = tokenizer.encode(text, pair)
    return dict(text=text, **({} if pair is None else dict(pair=pair)), ids=encoding.ids, offsets=[n for o in encoding.offsets for n in o], types=encoding.type_ids,
                special=encoding.special_tokens_mask, decoded=tokenizer.decode(encoding.ids, skip_special_tokens=False),
                skipped=tokenizer.decode(encoding.ids, skip_special_tokens=True))


def truncated(tokenizer, text, pair, length, side):
    tokenizer.enable_truncation(length, direction=side)
    encoding = tokenizer.encode(text, pair)
    tokenizer.no_truncation()
    return dict(text=text, pair=pair, length=length, side=side, ids=encoding.ids)


parts = []
for name, given in CASES.items():
    file = dict(version='1.0', truncation=None, padding=None, added_tokens=added, normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None)
    file.update(given)
    tokenizer = Tokenizer.from_str(json.dumps(file))
    lines = [result(tokenizer, text) for text in TEXTS] + [result(tokenizer, TEXTS[0], TEXTS[2]), result(tokenizer, '', 'a b')]
    cuts = [truncated(tokenizer, *texts, length, side) for texts in [(TEXTS[0], 'a b'), ('a b', TEXTS[0]), (TEXTS[0], TEXTS[2])]
            for length in [6, 9, 12, 13] for side in ['left', 'right']] if name in ['bert', 'roberta', 'fixed', 'template'] else []
    parts.append(dict(name=name, tokenizer=dict(added_tokens=added) | given, lines=lines, cuts=cuts))
print(json.dumps(parts, ensure_ascii=True))
