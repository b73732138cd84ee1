"""What a broken spec is told, word by word: where, what was met, what to use, who called it.

Every case is a spec and the lines that `archspec validate` prints about it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import archspec
from archspec.cli import main
from archspec.document import At, parse_document
from archspec.ops import OPS

CONV = {"op": "conv", "channels": 4, "kernel": 3}
FIRST_OPS = ", ".join(f"'{name}'" for name in list(OPS)[:30])


def net(body, **keys):
    return {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, **keys, "body": body}


def conv(**keys):
    return {**CONV, **keys}


def library(**templates):
    return {"archspec": 1, "templates": templates}


def extension(base, **keys):
    return {"archspec": 1, "name": "net", "extends": base, **keys}


def importing(*paths, body=()):
    return net(body, **{"import": {f"a{number}": path for number, path in enumerate(paths, 1)}})


def write(path: Path, content) -> None:
    """Bytes and text as they are, anything else as JSON with a line for each value."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        path.write_text(text)


TEXT = {
    "empty": ("", [
        "net.json:1:1: the file is empty; it must be a JSON object",
    ]),
    "blank": (" \n ", [
        "net.json:1:1: the file is empty; it must be a JSON object",
    ]),
    "duplicate key": ('{"archspec": 1,\n "name": "a",\n "name": "b"}', [
        "net.json:3:2: the key 'name' appears twice in one object; use it once",
    ]),
    "deeper duplicate": ('{"name": 1, "b": [{"name": 3, "x": {"name": 2}, "name": 4}]}', [
        "net.json:1:49: the key 'name' appears twice in one object; use it once",
    ]),
    "duplicate key, escaped": ('{"a": 1, "\\u0061": 2}', [
        "net.json:1:10: the key 'a' appears twice in one object; use it once",
    ]),
    "NaN": ('{"archspec": 1,\n "x": [1, NaN]}', [
        "net.json:2:11: NaN is not JSON; use a finite number",
    ]),
    "Infinity": ('{"NaN": -Infinity}', [
        "net.json:1:9: -Infinity is not JSON; use a finite number",
    ]),
    "trailing comma": ('{"archspec": 1,\n}', [
        "net.json:2:1: this is not JSON: '}' stands where a key in double quotes must be",
    ]),
    "trailing comma in a list": ("[1, ]", [
        "net.json:1:5: this is not JSON: ']' stands where a value must be",
    ]),
    "comment": ('{"archspec": 1} // one', [
        "net.json:1:17: this is not JSON: '/' stands where the end of the file must be",
    ]),
    "single quotes": ("{'archspec': 1}", [
        'net.json:1:2: this is not JSON: "\'" stands where a key in double quotes must be',
    ]),
    "no colon": ('{"archspec" 1}', [
        "net.json:1:13: this is not JSON: '1' stands where a colon must be",
    ]),
    "no comma": ('{"archspec": 1 "name": "a"}', [
        'net.json:1:16: this is not JSON: \'"\' stands where a comma or a closing bracket must '
        "be",
    ]),
    "unclosed": ('{"archspec": 1\n', [
        "net.json:2:1: this is not JSON: the end of the file stands where a comma or a closing "
        "bracket must be",
    ]),
    "unclosed string": ('{"archspec": "1 }', [
        "net.json:1:14: this is not JSON: a string starts here and no quote ends it",
    ]),
    "line break in a string": ('{"doc": "a\nb"}', [
        "net.json:1:11: this is not JSON: '\\n' stands in a string; use its escape",
    ]),
    "unknown escape": ('{"doc": "\\q"}', [
        "net.json:1:10: this is not JSON: \\q is not an escape of JSON; \\\\ is a backslash",
    ]),
    "half a character": ('{"doc": "\\ud83d\\ude00 \\ud800"}', [
        "net.json:1:23: \\ud800 is half a character; use both halves of a pair",
    ]),
    "not UTF-8": (b'{"doc": "\n caf\xe9"}', [
        "net.json:2:5: this is not UTF-8 text; use a JSON file in UTF-8",
    ]),
    "UTF-16": (json.dumps(net([])).encode("utf-16"), [
        "net.json:1:1: this is not UTF-8 text; use a JSON file in UTF-8",
    ]),
    "NUL": ('{"doc": "\0"}', [
        "net.json:1:10: this is not JSON: '\\x00' stands in a string; use its escape",
    ]),
    "large integer": ('{"archspec": 9007199254740993}', [
        "net.json:1:14: the number 9007199254740993 is too large; it must be at most 2**53",
    ]),
    "large number": ('{"archspec": -1e999}', [
        "net.json:1:14: the number -1e999 is too large; it must be under 1.8e308",
    ]),
    "long number": ("[0, " + "1" * 5000 + "]", [
        "net.json:1:5: the number 11111111111111111111... is too large; it must be at most "
        "2**53",
    ]),
    "nested": ("[" * 101 + "]" * 101, [
        "net.json:1:1: values are nested too deeply; use at most 100 levels",
    ]),
    "nested beyond the parser": ('{"a":' * 100_000, [
        "net.json:1:1: values are nested too deeply; use at most 100 levels",
    ]),
}  # fmt: skip

SCHEMA = {
    "number": (3, [
        "net.json:1:1: at /: a spec must be an object, not 3",
    ]),
    "list": ([], [
        "net.json:1:1: at /: a spec must be an object, not []",
    ]),
    "null": (None, [
        "net.json:1:1: at /: a spec must be an object, not null",
    ]),
    "nothing in it": ({}, [
        "net.json:1:1: at /: a spec must have a body, or extends, or templates, and this has "
        "none of them; `archspec new NAME` writes one to start from",
    ]),
    "no body": ({"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}}, [
        "net.json:1:1: at /: a spec must have a body, or extends, or templates, and this has "
        "none of them; `archspec new NAME` writes one to start from",
    ]),
    "body misspelt": ({"archspec": 1, "name": "net", "bdoy": []}, [
        "net.json:1:1: at /: a spec must have a body, or extends, or templates, and this has "
        "none of them; did you mean 'body'?",
    ]),
    "missing keys": ({"body": []}, [
        "net.json:1:1: at /: a spec lacks 'archspec', 'name' and 'input'",
    ]),
    "another version": ({**net([]), "archspec": 2}, [
        "net.json:2:14: at /archspec: archspec must be 1, not 2",
    ]),
    "1.0 for 1": ({**net([]), "archspec": 1.0}, [
        "net.json:2:14: at /archspec: archspec must be 1, not 1.0; did you mean 1?",
    ]),
    "unknown key": (net([], tempaltes={}), [
        "net.json:11:15: at /tempaltes: a spec has no 'tempaltes'; did you mean 'templates'?",
    ]),
    "unknown key, like none": (net([], zzz={}), [
        "net.json:11:9: at /zzz: a spec has no 'zzz'; it has 'archspec', 'name', 'doc', "
        "'source', 'input', 'import', 'args', 'defaults', 'templates', 'body', 'outputs' and "
        "'expect'",
    ]),
    "unknown key of input": ({**net([]), "input": {"shape": [3, 8, 8], "sizes": 3}}, [
        "net.json:10:12: at /input/sizes: input has no 'sizes'; did you mean 'resize'?",
    ]),
    "wrong type": (net([], name=5), [
        "net.json:3:10: at /name: name must be a string of at most 100 characters that matches "
        "^[A-Za-z0-9_][A-Za-z0-9_.+-]*$, not 5",
    ]),
    "name": (net([], name="a b"), [
        "net.json:3:10: at /name: name must be a string of at most 100 characters that matches "
        "^[A-Za-z0-9_][A-Za-z0-9_.+-]*$, not 'a b'",
    ]),
    "name ending in a line break": (net([], name="net\n"), [
        "net.json:3:10: at /name: name must be a string of at most 100 characters that matches "
        "^[A-Za-z0-9_][A-Za-z0-9_.+-]*$, not 'net\\n'",
    ]),
    "shape": ({**net([]), "input": {"shape": [3, 8]}}, [
        "net.json:5:12: at /input/shape: shape must be a list of 3, each a whole number of at "
        "least 1 and at most 1,000,000, not [3, 8]",
    ]),
    "shape with 0": ({**net([]), "input": {"shape": [3, 8, 0]}}, [
        "net.json:8:4: at /input/shape/2: item 2 must be a whole number of at least 1 and at "
        "most 1,000,000, not 0",
    ]),
    "mean for each channel": ({**net([]), "input": {"shape": [3, 8, 8], "mean": [0.5]}}, [
        "net.json:10:11: at /input/mean: mean has 1 values and the input 3 channels; use one "
        "for each",
    ]),
    "published accuracy": (net([], source={"published": {"top1": 101}}), [
        "net.json:13:12: at /source/published/top1: top1 must be a number of at least 0 and at "
        "most 100, not 101",
    ]),
    "2.0 for an integer": (net(conv(kernel=3.0)), [
        "net.json:14:13: at /body/kernel: kernel must be a whole number of at least 1 and at "
        "most 10,000 or a list of 2, each a whole number of at least 1 and at most 10,000, not "
        "3.0; did you mean 3?",
    ]),
    "2.0 in a list": (net(conv(kernel=[3, 3.0])), [
        "net.json:16:4: at /body/kernel/1: item 1 must be a whole number of at least 1 and at "
        "most 10,000, not 3.0; did you mean 3?",
    ]),
    "number in quotes": (net(conv(channels="4")), [
        "net.json:13:15: at /body/channels: channels must be a whole number of at least 1 and "
        "at most 1,000,000, not '4'",
    ]),
    "true for a number": (net(conv(channels=True)), [
        "net.json:13:15: at /body/channels: channels must be a whole number of at least 1 and "
        "at most 1,000,000, not true",
    ]),
    "number for true": (net(conv(bias=1)), [
        "net.json:15:11: at /body/bias: bias must be true or false, not 1",
    ]),
    "out of range": (net(conv(channels=0)), [
        "net.json:13:15: at /body/channels: channels must be a whole number of at least 1 and "
        "at most 1,000,000, not 0",
    ]),
    "list of three": (net(conv(stride=[1, 2, 3])), [
        "net.json:15:13: at /body/stride: stride must be a whole number of at least 1 and at "
        "most 10,000 or a list of 2, each a whole number of at least 1 and at most 10,000, not "
        "[1, 2, 3]",
    ]),
    "word misspelt": (net(conv(padding="smae")), [
        "net.json:15:14: at /body/padding: padding must be 'half', 'same' or 'valid', a whole "
        "number of at least 0 and at most 10,000, a list of 2, each a whole number of at least "
        "0 and at most 10,000 or a list of 4, each a whole number of at least 0 and at most "
        "10,000, not 'smae'; did you mean 'same'?",
    ]),
    "function misspelt": (net({"op": "act", "function": "reul"}), [
        "net.json:13:15: at /body/function: function must be 'relu', 'relu6', 'leaky_relu', "
        "'prelu', 'elu', 'gelu', 'silu', 'hswish', 'hsigmoid', 'sigmoid', 'tanh', 'mish', "
        "'softplus', 'square', 'abs', 'neg', 'exp', 'sqrt', 'reciprocal' or 'none', not "
        "'reul'; did you mean 'relu'?",
    ]),
    "op misspelt": (net({"op": "cnov", "channels": 4, "kernel": 3}), [
        "net.json:12:9: at /body/op: 'cnov' is not an op; did you mean 'conv'?",
    ]),
    "op like none": (net({"op": "zzz"}), [
        f"net.json:12:9: at /body/op: 'zzz' is not an op; use {FIRST_OPS} or {len(OPS) - 30} more",
    ]),
    "word of a node misspelt": (net(["rleu"]), [
        "net.json:12:3: at /body/0: 'rleu' is not an op; did you mean 'relu'?",
    ]),
    "function as an op": (net({"op": "relu"}), [
        'net.json:12:9: at /body/op: \'relu\' is not an op but a function of one; use {"op": '
        '"act", "function": "relu"}',
    ]),
    "op is not a word": (net({"op": 5}), [
        "net.json:12:9: at /body/op: op must be the name of an op or a template, not 5",
    ]),
    "attribute misspelt": (net({"op": "conv", "chanels": 4, "kernel": 3}), [
        "net.json:13:14: at /body/chanels: conv has no 'chanels'; did you mean 'channels'?",
    ]),
    "node is a number": (net([3]), [
        "net.json:12:3: at /body/0: a node must be an object, a list of nodes or a word, not 3",
    ]),
    "no kind": (net({"name": "x"}), [
        "net.json:11:10: at /body: a node must have one of the keys op, body, residual, "
        "branches and choice, and this has none",
    ]),
    "kind misspelt": (net({"name": "x", "resdual": []}), [
        "net.json:11:10: at /body: a node must have one of the keys op, body, residual, "
        "branches and choice, and this has none; did you mean 'residual'?",
    ]),
    "two kinds": (net({**CONV, "body": []}), [
        "net.json:11:10: at /body: a node must have one of the keys op, body, residual, "
        "branches and choice, and this has 'op' and 'body'",
    ]),
    "key of another kind": (net({"body": [], "channels": 4}), [
        "net.json:13:15: at /body/channels: a body node has no 'channels'; it has 'body', "
        "'join', 'name', 'doc', 'from', 'when', 'repeat' and 'parallel'",
    ]),
    "shortcut misspelt": (net({"residual": [], "shorcut": []}), [
        "net.json:13:14: at /body/shorcut: a residual node has no 'shorcut'; did you mean "
        "'shortcut'?",
    ]),
    "branches without join": (net({"branches": [[], []]}), [
        "net.json:11:10: at /body: branches need a join; use 'add', 'sub', 'mul', "
        "'div', 'max', 'min', 'concat' or 'none'",
    ]),
    "branches of none": (net({"branches": [], "join": "add"}), [
        "net.json:12:15: at /body/branches: branches must be a list of 1 or more or an object "
        "that is not empty, not []",
    ]),
    "name of a branch": (net({"branches": {"a b": []}, "join": "add"}), [
        "net.json:13:11: at /body/branches/a b: 'a b' cannot be a name here; use a string of "
        "at most 200 characters that matches ^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_]+)*$",
    ]),
    "join misspelt": (net({"branches": [[]], "join": "conact"}), [
        "net.json:15:11: at /body/join: join must be 'add', 'sub', 'mul', 'div', 'max', 'min', "
        "'concat' or 'none', not "
        "'conact'; did you mean 'concat'?",
    ]),
    "repeat and each": (net(conv(repeat=2, each=[{}])), [
        "net.json:16:11: at /body/each: a node must have repeat or each, not both",
    ]),
    "first without copies": (net(conv(first={"stride": 2})), [
        "net.json:15:12: at /body/first: first and last must stand beside a repeat, an each or a "
        "parallel",
    ]),
    "row of each": (net(conv(each=[{"strid": 2}, 5])), [
        "net.json:19:4: at /body/each/1: item 1 must be an object, not 5",
        "net.json:17:14: at /body/each/0/strid: conv has no 'strid'; did you mean 'stride'?",
    ]),
    "repeat below 0": (net(conv(repeat=-1)), [
        "net.json:15:13: at /body/repeat: repeat must be a whole number of at least 0, not -1",
    ]),
    "when is not a condition": (net(conv(when="yes")), [
        "net.json:15:11: at /body/when: when must be true or false, not 'yes'",
    ]),
    "name of a node": (net(conv(name="a..b")), [
        "net.json:15:11: at /body/name: name must be a string of at most 200 characters that "
        "matches ^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_]+)*$, not 'a..b'",
    ]),
    "long name of a node": (net(conv(name="a" * 201)), [
        "net.json:15:11: at /body/name: name must be a string of at most 200 characters that "
        "matches ^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_]+)*$, not "
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...",
    ]),
    "from nothing": (net(conv(**{"from": []})), [
        "net.json:15:11: at /body/from: from must be a string, a list of 1 or more, each a "
        "string or an object that is not empty, not []",
    ]),
    "choice of none": (net(conv(channels={"choice": []})), [
        "net.json:14:14: at /body/channels/choice: choice must be a list of 1 or more, not []",
    ]),
    "key of a choice": (net(conv(channels={"choice": [4], "shrae": "paths"})), [
        "net.json:17:13: at /body/channels/shrae: channels has no 'shrae'; did you mean 'share'?",
    ]),
    "share": (net(conv(channels={"choice": [4], "share": "path"})), [
        "net.json:17:13: at /body/channels/share: share must be 'superkernel' or 'paths', not "
        "'path'; did you mean 'paths'?",
    ]),
    "choice in a call": (net({"op": "T", "x": {"choice": None}},
        templates={"T": {"args": {"x": 1}, "body": []}}), [
        "net.json:22:14: at /body/x/choice: choice must be a list of 1 or more, not null",
    ]),
    "choice in a choice": (net(conv(kernel={"choice": [1, {"choice": []}]})), [
        "net.json:18:16: at /body/kernel/choice/1/choice: choice must be a list of 1 or more, "
        "not []",
    ]),
    "choice in a row": (net({"op": "T", "each": [{"x": [{"choice": [1], "shared": "w"}]}]}), [
        "net.json:20:17: at /body/each/0/x/0/shared: a choice has no 'shared'; did you mean "
        "'share'?",
    ]),
    "choices in args and defaults": (net([], args={"a": {"choice": 3}, "b": {"type": "integer",
        "default": {"choice": []}}}, defaults={"T": {"x": {"choice": {}}}}), [
        "net.json:25:15: at /defaults/T/x/choice: choice must be a list of 1 or more, not an "
        "empty object",
        "net.json:13:14: at /args/a/choice: choice must be a list of 1 or more, not 3",
        "net.json:18:15: at /args/b/default/choice: choice must be a list of 1 or more, not []",
    ]),
    "lower case template": (net([], templates={"block": {"body": []}}), [
        "net.json:12:12: at /templates/block: 'block' cannot be a name here; use a string that "
        "matches ^[A-Z][A-Za-z0-9_]*$",
    ]),
    "template without body": (net([], templates={"Block": {}}), [
        "net.json:12:12: at /templates/Block: Block lacks 'body'",
    ]),
    "template's body misspelt": (net([], templates={"Block": {"bdoy": []}}), [
        "net.json:13:12: at /templates/Block/bdoy: Block has no 'bdoy'; did you mean 'body'?",
    ]),
    "word of the language as an arg": (net([], args={"when": 1}), [
        "net.json:12:11: at /args/when: 'when' cannot be a name here: the language uses the word "
        "itself",
    ]),
    "declaration misspelt": (net([], args={"width": {"typ": "integer"}}), [
        "net.json:13:11: at /args/width/typ: width has no 'typ'; did you mean 'type'?",
    ]),
    "type misspelt": (net([], args={"width": {"type": "int"}}), [
        "net.json:13:12: at /args/width/type: type must be 'integer', 'number', 'string', "
        "'boolean', 'array', 'object', 'null', 'op', 'template' or 'node' or a list of 1 or "
        "more, each 'integer', 'number', 'string', 'boolean', 'array', 'object' or 'null', "
        "not 'int'; did you mean "
        "'integer'?",
    ]),
    "no outputs": (net([], outputs={}), [
        "net.json:11:13: at /outputs: outputs must be an object that is not empty, not an "
        "empty object",
    ]),
    "extension with a body": ({"archspec": 1, "name": "net", "extends": "resnet18", "body": []}, [
        "net.json:5:10: at /body: an extension has no 'body'; it has 'archspec', 'name', 'doc', "
        "'extends', 'source', 'input', 'args' and 'expect'",
    ]),
    "several": (net([conv(kernel=0), conv(strid=2), "rleu", {}, {"residual": ["cnov"]}],
        nmae=3), [
        "net.json:11:10: at /nmae: a spec has no 'nmae'; did you mean 'name'?",
        "net.json:16:14: at /body/0/kernel: kernel must be a whole number of at least 1 and at "
        "most 10,000 or a list of 2, each a whole number of at least 1 and at most 10,000, not "
        "0",
        "net.json:22:13: at /body/1/strid: conv has no 'strid'; did you mean 'stride'?",
        "net.json:24:3: at /body/2: 'rleu' is not an op; did you mean 'relu'?",
        "net.json:25:3: at /body/3: a node must have one of the keys op, body, residual, "
        "branches and choice, and this has none",
        "net.json:28:5: at /body/4/residual/0: 'cnov' is not an op; did you mean 'conv'?",
    ]),
}  # fmt: skip

KNOWN = (
    "min, max, floor, ceil, round, abs, sqrt, log, sum, len, range, divisible, channels, height,"
    " width, count"
)
EXPRESSIONS = {
    "=": "'' is not an expression (it ends too soon)",
    "=1 +": "'1 +' is not an expression (it ends too soon)",
    "=(1": "'(1' is not an expression ('(' was never closed near character 1)",
    "=1 is 1": "'1 is 1' uses a comparison that is not in the language; use == != < <= > or >=",
    "=1 << 3": "'1 << 3' uses an operator that is not in the language; use + - * / // % or **",
    "=~1": "'~' is not in the language of expressions; use + - or not",
    "=width @ 2": (
        "'width @ 2' uses an operator that is not in the language; use + - * / // % or **"
    ),
    "={1: 2}": (
        "'{1: 2}' is not in the language of expressions; use numbers, 'strings', names, a[i], + - "
        "* / // % **, comparisons, and, or, not, x if c else y, "
        f"[x for i in range(n)], and {KNOWN}"
    ),
    "=[1]": (
        "'[1]' is not in the language of expressions; use numbers, 'strings', names, a[i], + - * / "
        "// % **, comparisons, and, or, not, x if c else y, "
        f"[x for i in range(n)], and {KNOWN}"
    ),
    "=width.real": (
        "'width.real' is not in the language of expressions; use numbers, 'strings', names, a[i], "
        "+ - * / // % **, comparisons, and, or, not, x if c else y, "
        f"[x for i in range(n)], and {KNOWN}"
    ),
    "=__import__('os')": (
        "'__import__' is not a function of the language "
        f"(known: {KNOWN})"
    ),
    "=flor(1)": (
        "'flor' is not a function of the language; did you mean 'floor'? (known: min, max, floor, "
        "ceil, round, abs, sqrt, log, sum, len, range, divisible, channels, height, width, count)"
    ),
    "=min(a=1)": (
        "'min(a=1)' is not a call of the language; use "
        f"{KNOWN}"
    ),
    "=True": "True is Python; use true",
    "=None": "None is Python; use the string none",
    "=1j": "1j is not a number or a string of the language",
    "=width # 4": "an expression is one line without backslashes or '#'",
    "=1\n+ 1": "an expression is one line without backslashes or '#'",
    "=9007199254740993": "the result is too large; it must be at most 2**53",
    "=1" + " + 1" * 249: "the expression is nested too deeply; use at most 50 levels",
    "=" + "-" * 60 + "1": "the expression is nested too deeply; use at most 50 levels",
    "=widht": "'widht' is not known here; did you mean 'width'?",
    "=heigth": "'heigth' is not known here; did you mean 'in_height'?",
    "=index": (
        "'index' is not known here; in_channels, in_height, in_width, width, list, word are known"
    ),
    "=width / 0": "4 / 0 has no result (in '=width / 0')",
    "=width % 0.0": "4 % 0.0 has no result (in '=width % 0.0')",
    "=0 ** -1": "0 ** -1 has no result (in '=0 ** -1')",
    "=2 ** 100": "the exponent 100 is too large; it must be at most 64 (in '=2 ** 100')",
    "=9**9**9": "the exponent 387420489 is too large; it must be at most 64 (in '=9**9**9')",
    "=2 ** 60": "the result is too large; it must be at most 2**53 (in '=2 ** 60')",
    "=(-8) ** 0.5": "a root of a negative number is not a number here (in '=(-8) ** 0.5')",
    "=word + 1": "+ needs numbers, not 'a' (in '=word + 1')",
    "=width + true": "+ needs numbers, not true (in '=width + true')",
    "=-word": "a sign needs numbers, not 'a' (in '=-word')",
    "=word < 'b'": "< needs numbers, not 'a' (in '=word < 'b'')",
    "=width and true": (
        "and needs true or false, not 4; use a comparison (in '=width and true')"
    ),
    "=not 1": "not needs true or false, not 1; use a comparison (in '=not 1')",
    "=1 if width else 2": (
        "if needs true or false, not 4; use a comparison (in '=1 if width else 2')"
    ),
    "=list[2]": "there is no item 2 in a list of 2 (in '=list[2]')",
    "=list[0.5]": "a[i] needs a list and a whole number, not [1, 2] and 0.5 (in '=list[0.5]')",
    "=width[0]": "a[i] needs a list and a whole number, not 4 and 0 (in '=width[0]')",
    "=list": "channels must be a whole number of at least 1 and at most 1,000,000, not [1, 2]",
    "=word": "channels must be a whole number of at least 1 and at most 1,000,000, not 'a'",
    "=width / 2": (
        "channels must be a whole number of at least 1 and at most 1,000,000, not 2.0; did you "
        "mean 2?"
    ),
    "=width == 4": "channels must be a whole number of at least 1 and at most 1,000,000, not true",
    "=min(1)": "min needs two or more numbers, or one list of them (in '=min(1)')",
    "=floor()": "floor takes 1 argument(s), not 0",
    "=len(5)": "len needs a list or a string, not 5 (in '=len(5)')",
    "=divisible(5, 0)": "divisible needs a divisor of at least 1, not 0 (in '=divisible(5, 0)')",
    "=max('a', 'b')": "max needs numbers, not 'a' (in '=max('a', 'b')')",
    "=channels()": (
        "channels takes the name of an earlier node, as in channels('stem'), and of a list of "
        "results which one, as in channels('levels', 0)"
    ),
    "=channels(5)": "channels needs the name of a node, not 5 (in '=channels(5)')",
    "=channels('stem')": (
        "there is no earlier node 'stem' here; use the name of a node before this one (in "
        "'=channels('stem')')"
    ),
}  # fmt: skip

NAMES = {
    "template misspelt": (net({"op": "ConvNormAtc", "channels": 4}), [
        "net.json:12:9: at /body/op: there is no template 'ConvNormAtc'; did you mean "
        "'ConvNormAct'?",
    ]),
    "template like none": (net(["Zzz"]), [
        "net.json:12:3: at /body/0: there is no template 'Zzz'; use 'ConvNormAct', "
        "'DepthwiseConvNormAct', 'SqueezeExcite', 'MBConv', 'BasicBlock', 'Bottleneck' or "
        "'Classifier'",
    ]),
    "import misspelt": (net({"op": "isynt.Block"}, **{"import": {"isynet": "blocks/isynet"}}), [
        "net.json:15:9: at /body/op: there is no import called 'isynt'; did you mean 'isynet'?",
    ]),
    "no import": (net("other.Block"), [
        "net.json:11:10: at /body: there is no import called 'other'; import a file under that "
        "name",
    ]),
    "template of an import misspelt": (net({"op": "isynet.Blok"},
        **{"import": {"isynet": "blocks/isynet"}}), [
        "net.json:15:9: at /body/op: there is no template 'isynet.Blok'; did you mean "
        "'isynet.Block'?",
    ]),
    "argument misspelt": (net({"op": "ConvNormAct", "chanels": 4}), [
        "net.json:13:14: at /body/chanels: ConvNormAct has no argument 'chanels'; did you mean "
        "'channels'?",
    ]),
    "argument like none": (net({"op": "ConvNormAct", "channels": 4, "zzz": 1}), [
        "net.json:14:10: at /body/zzz: ConvNormAct has no argument 'zzz'; it has channels, "
        "kernel, stride, padding, dilation, groups, bias, norm, act, alpha",
    ]),
    "argument of a row": (net({"op": "ConvNormAct", "channels": 4, "each": [{}, {"strid": 2}]}), [
        "net.json:17:14: at /body/each/1/strid: ConvNormAct has no argument 'strid'; did you "
        "mean 'stride'?",
    ]),
    "default of an op misspelt": (net([], defaults={"cnov": {}}), [
        "net.json:12:11: at /defaults/cnov: 'cnov' is not an op or a template; did you mean "
        "'conv'?",
    ]),
    "default of an argument misspelt": (net([], defaults={"conv": {"biass": True}}), [
        "net.json:13:13: at /defaults/conv/biass: conv has no argument 'biass'; did you mean "
        "'bias'?",
    ]),
    "arg of a later arg": (net([], args={"a": "=b", "b": 1}), [
        "net.json:12:8: at /args/a: 'b' is not known here; in_channels, in_height, in_width are "
        "known",
    ]),
    "name of the caller": (net("T", args={"width": 4},
        templates={"T": {"body": conv(channels="=width")}}), [
        "net.json:18:17: at /templates/T/body/channels: 'width' is not known here; did you mean "
        "'in_width'?",
    ]),
    "template that calls itself": (net([], templates={"T": {"body": ["relu", "T"]}}), [
        "net.json:12:8: at /templates/T: templates call each other in a circle (T -> T), which "
        "would never end; repeat makes copies",
    ]),
    "templates that call each other": (net("A", templates={"A": {"body": "B"},
        "B": {"body": {"residual": "C"}}, "C": {"body": ["A"]}}), [
        "net.json:12:8: at /templates/A: templates call each other in a circle (A -> B -> C -> "
        "A), which would never end; repeat makes copies",
    ]),
    "templates nested deeply": (net("T0",
        templates={**{f"T{i}": {"body": f"T{i + 1}"} for i in range(50)}, "T50": {"body": []}}), [
        "net.json:12:9: at /templates/T0: templates call each other deeper than 50 levels from "
        "here; use fewer",
    ]),
    "several": (net(["Nope", {"op": "Classifier", "clases": 3}, conv(channels="=widht"),
        "Classifer"], templates={"T": {"body": conv(channels="=x")}}), [
        "net.json:21:3: at /body/0: there is no template 'Nope'; use 'T', 'ConvNormAct', "
        "'DepthwiseConvNormAct', 'SqueezeExcite', 'MBConv', 'BasicBlock', 'Bottleneck' or "
        "'Classifier'",
        "net.json:24:14: at /body/1/clases: Classifier has no argument 'clases'; did you mean "
        "'classes'?",
        "net.json:28:16: at /body/2/channels: 'widht' is not known here; did you mean "
        "'in_width'?",
        "net.json:31:3: at /body/3: there is no template 'Classifer'; did you mean "
        "'Classifier'?",
        "net.json:15:17: at /templates/T/body/channels: 'x' is not known here; in_channels, "
        "in_height, in_width are known",
    ]),
}  # fmt: skip

GRAPH = {
    "missing argument": (net(["ConvNormAct"]), [
        "net.json:12:3: at /body/0: ConvNormAct lacks its argument 'channels'",
    ]),
    "missing arguments": (net({"op": "T", "name": "t"}, templates={"T": {"args": {"a": {},
        "b": {}}, "body": []}}), [
        "net.json:20:10: at /body: T lacks its argument 'a' and 'b'",
    ]),
    "type of an argument": (net({"op": "ConvNormAct", "channels": 8.0}), [
        "net.json:13:15: at /body/channels: channels must be a whole number, not 8.0; did you "
        "mean 8?",
        "    in ConvNormAct, called at net.json:11:10 as conv_norm_act",
    ]),
    "range of an argument": (net({"op": "Classifier", "classes": "=width - 5"},
        args={"width": 5}), [
        "net.json:16:14: at /body/classes: classes must be a whole number of at least 1, not 0",
        "    in Classifier, called at net.json:14:10 as classifier",
    ]),
    "arg without value": (net([], args={"width": {"type": "integer"}}), [
        "net.json:12:12: at /args/width: net is not given its width; use a default, or --set "
        "width=VALUE",
    ]),
    "type of an arg": (net([], args={"width": {"type": "integer", "default": "4"}}), [
        "net.json:14:15: at /args/width/default: width must be a whole number, not '4'",
    ]),
    "attribute by an expression": (net({"op": "ConvNormAct", "channels": 4, "stride": 0}), [
        "archspec:standard.json:22:80: at /templates/ConvNormAct/body/0/stride: stride must be "
        "a whole number of at least 1 and at most 10,000 or a list of 2, each a whole number "
        "of at least 1 and at most 10,000, not 0",
        "    in ConvNormAct, called at net.json:11:10 as conv_norm_act",
    ]),
    "missing attribute": (net(["conv"]), [
        "net.json:12:3: at /body/0: conv lacks 'channels' and 'kernel'",
    ]),
    "shape in a template": (net({"op": "T", "name": "t"},
        templates={"T": {"body": [conv(groups=2)]}}), [
        "net.json:14:5: at /templates/T/body/0: the number of input channels 3 cannot be split "
        "into 2 equal parts",
        "    in T, called at net.json:23:10 as t",
    ]),
    "call stack": (net({"op": "Outer", "name": "o"}, templates={"Outer": {"body": [CONV,
        {"op": "Inner", "repeat": 3, "width": "=in_channels"}]},
        "Inner": {"args": {"width": {"type": "integer", "minimum": 10}}, "body": []}}), [
        "net.json:22:15: at /templates/Outer/body/1/width: width must be a whole number of at "
        "least 10, not 3",
        "    in Inner, called at net.json:19:5 as o.inner1",
        "    in Outer, called at net.json:36:10 as o",
    ]),
    "height of a flat input": (net(["flatten", "T"], templates={"T": {"body": {"op": "dense",
        "channels": "=in_height"}}}), [
        "net.json:15:17: at /templates/T/body/channels: 'in_height' is not known here (in "
        "'=in_height')",
        "    in T, called at net.json:21:3 as t",
    ]),
    "height of a flat node": (net([{"op": "flatten", "name": "f"}, {"op": "dense",
        "channels": "=height('f')"}]), [
        "net.json:18:16: at /body/1/channels: 'f' is flat, so it has no height (in '=height('f')')",
    ]),
    "unknown reference": (net([conv(name="stem"), conv(**{"from": "stme"})]), [
        "net.json:22:12: at /body/1/from: there is no earlier node 'stme' here; did you mean "
        "'stem'?",
    ]),
    "reference to itself": (net([conv(name="stem", **{"from": "stem"})]), [
        "net.json:17:12: at /body/0/from: there is no earlier node 'stem' here; use the name "
        "of a node before this one",
    ]),
    "reference to a later node": (net([conv(**{"from": "late"}), conv(name="late")]), [
        "net.json:16:12: at /body/0/from: there is no earlier node 'late' here; use the name "
        "of a node before this one",
    ]),
    "references in a list": (net([conv(name="stem"), {"op": "add", "from": ["stem", "a",
        "b"]}]), [
        "net.json:22:5: at /body/1/from/1: there is no earlier node 'a' here; use the name of "
        "a node before this one",
        "net.json:23:5: at /body/1/from/2: there is no earlier node 'b' here; use the name of "
        "a node before this one",
    ]),
    "reference into a template": (net([{"op": "ConvNormAct", "name": "a", "channels": 4},
        conv(**{"from": "a.conv"})]), [
        "net.json:21:12: at /body/1/from: there is no earlier node 'a.conv' here; what stands "
        "inside a template is its own, unless its outputs name it",
    ]),
    "reference to several": (net([{"op": "split", "name": "s", "parts": 3},
        conv(**{"from": "s"})]), [
        "net.json:21:12: at /body/1/from: 's' has several results; use 's.1', 's.2' or 's.3'",
    ]),
    "reference to a part that is not": (net([{"op": "split", "name": "s", "parts": 3},
        conv(**{"from": "s.4"})]), [
        "net.json:21:12: at /body/1/from: 's' has no result of this name; use 's.1', 's.2' or "
        "'s.3'",
    ]),
    "after several": (net([{"op": "split", "parts": 3}, CONV]), [
        "net.json:16:3: at /body/1: what comes before this node has several results; use a "
        '"from" that picks one',
    ]),
    "ends in several": (net([{"op": "split", "parts": 3}]), [
        "net.json:11:10: at /body: net ends in several results; use outputs that name them",
    ]),
    "path ends in several": (net({"residual": {"op": "split", "parts": 3}}), [
        "net.json:12:15: at /body/residual: this path must end in one result, and it ends in "
        "several",
    ]),
    "unknown output": (net([conv(name="stem")], outputs={"x": "stme"}), [
        "net.json:12:8: at /outputs/x: there is no earlier node 'stme' here; did you mean 'stem'?",
    ]),
    "duplicate name": (net([conv(name="stem"), conv(name="stem")]), [
        "net.json:22:12: at /body/1/name: the name 'stem' is taken already in this scope; use "
        "another name",
    ]),
    "name of the input": (net([conv(name="in")]), [
        "net.json:16:12: at /body/0/name: the name 'in' is taken already in this scope; use "
        "another name",
    ]),
    "name of a copy": (net([conv(name="a1"), conv(name="a", repeat=2)]), [
        "net.json:22:12: at /body/1/name: the name 'a1' is taken already in this scope; use "
        "another name",
    ]),
    "residual": (net({"residual": [CONV]}), [
        "net.json:11:10: at /body: add takes inputs of one shape, or of 1 where they "
        "differ, not 4x8x8 and 3x8x8; use streams of equal channels and strides, or a shortcut "
        "that makes them so",
    ]),
    "add": (net({"branches": [CONV, conv(stride=2)], "join": "add"}), [
        "net.json:11:10: at /body: add takes inputs of one shape, or of 1 where they "
        "differ, not 4x8x8 and 4x4x4; use streams of equal channels and strides, or a shortcut "
        "that makes them so",
    ]),
    "concat": (net({"branches": [CONV, conv(stride=2)], "join": "concat"}), [
        "net.json:11:10: at /body: concat joins channels of inputs with one height and width, not "
        "4x8x8 and 4x4x4",
    ]),
    "mul": (net({"branches": [CONV, conv(channels=5)], "join": "mul"}), [
        "net.json:11:10: at /body: mul takes inputs of one shape, or of 1 where they "
        "differ, not 4x8x8 and 5x8x8; use streams of equal channels and strides, or a shortcut "
        "that makes them so",
    ]),
    "sub of three": (net({"branches": [[], [], []], "join": "sub"}), [
        'net.json:11:10: at /body: sub takes 2 input(s) and is given 3; use a "from" that '
        "names them",
    ]),
    "one input for add": (net({"op": "add"}), [
        'net.json:11:10: at /body: add takes 2 or more input(s) and is given 1; use a "from" '
        "that names them",
    ]),
    "two inputs for conv": (net([conv(name="a"), conv(**{"from": ["a", "in"]})]), [
        'net.json:18:3: at /body/1: conv takes 1 input(s) and is given 2; use a "from" that '
        "names them",
    ]),
    "two inputs for a group": (net([conv(name="a"), {"body": [], "from": ["a", "in"]}]), [
        "net.json:20:12: at /body/1/from: this node takes one input; use one name",
    ]),
    "inputs of a template": (net({"op": "T"}, templates={"T": {"inputs": ["a", "b"],
        "body": {"op": "add", "from": ["a", "b"]}}}), [
        'net.json:26:10: at /body: T takes \'a\' and \'b\' and is given 1; use a "from" with '
        "one name for each",
    ]),
    "names of a template's inputs": (net({"op": "T", "from": {"a": "in", "c": "in"}},
        templates={"T": {"inputs": ["a", "b"], "body": {"op": "add", "from": ["a", "b"]}}}), [
        "net.json:28:11: at /body/from: from names the inputs 'a' and 'c' and the node has 'a' "
        "and 'b'",
    ]),
    "kernel": (net(conv(kernel=11, padding="valid")), [
        "net.json:11:10: at /body: a window of 11 does not fit the height 8 padded by 0 and 0; use"
        " a smaller kernel or stride before it, more padding or a larger input",
    ]),
    "groups": (net(conv(groups=2)), [
        "net.json:11:10: at /body: the number of input channels 3 cannot be split into 2 equal "
        "parts",
    ]),
    "groups of the output": (net(conv(groups=3)), [
        "net.json:11:10: at /body: the number of output channels 4 cannot be split into 3 equal "
        "parts",
    ]),
    "window of padding": (net({"op": "max_pool", "kernel": 2, "padding": 2}), [
        "net.json:11:10: at /body: max_pool pads by 2, so a window of 2 could hold padding "
        "alone; use less padding than the kernel",
    ]),
    "dense on an image": (net({"op": "dense", "channels": 5}), [
        "net.json:11:10: at /body: dense takes a flat vector, not 3x8x8; put a flatten before "
        "it",
    ]),
    "conv on a vector": (net(["flatten", CONV]), [
        "net.json:13:3: at /body/1: conv works on images of channels x height x width, not "
        "192; place it before the flatten",
    ]),
    "slice": (net({"op": "slice", "start": 2, "stop": 9}), [
        "net.json:11:10: at /body: slice from 2 to 9 does not lie in 3 channels; use 0 <= start < "
        "stop <= 3",
    ]),
    "too many elements": (net({"op": "upsample", "scale": 10_000, "repeat": 3}), [
        "net.json:11:10: at /body: upsample gives 3x800000000x800000000, more elements "
        "than 2**53; use fewer",
    ]),
    "repeat": (net(conv(repeat=10**9)), [
        "net.json:15:13: at /body/repeat: repeat must be a whole number from 0 to 100,000, not "
        "1000000000",
    ]),
    "repeat by an expression": (net(conv(repeat="=n"), args={"n": -1}), [
        "net.json:18:13: at /body/repeat: repeat must be a whole number from 0 to 100,000, not "
        "-1",
    ]),
    "too many nodes": (net({"body": conv(repeat=1000), "repeat": 1000}), [
        "net.json:12:11: at /body/body: the network passes 100,000 nodes here; use fewer copies",
    ]),
    "too many steps": (net({"body": {"body": [], "repeat": 1000}, "repeat": 1000}), [
        "net.json:12:11: at /body/body: expanding passes 150,000 steps here, those that leave "
        "no node included; use fewer copies",
    ]),
    "each by an expression": (net(conv(each="=n"), args={"n": 5}), [
        "net.json:18:11: at /body/each: each must be a list of objects with arguments, not 5",
    ]),
    "row by an expression": (net(conv(each="=rows"), args={"rows": [{"strid": 2}]}), [
        "net.json:22:11: at /body/each: conv has no 'strid'; did you mean 'stride'?",
    ]),
    "when by an expression": (net(conv(when="=1")), [
        "net.json:15:11: at /body/when: when must be true or false, not 1",
    ]),
    "join by an expression": (net({"residual": [], "join": "='ad'"}), [
        "net.json:13:11: at /body/join: join must be 'add', 'sub', 'mul', 'div', 'max', 'min', "
        "'concat' or 'none', not "
        "'ad'; did you mean 'add'?",
    ]),
    "value that doubles": (net([], args={"a": list(range(1000)), "b": ["=a"] * 10,
        "c": ["=b"] * 10, "d": ["=c"] * 10}), [
        "net.json:1026:8: at /args/c: this value has more than 100,000 parts or 100 levels; "
        "use a smaller one",
    ]),
    "both branches": (net({"branches": [conv(groups=2), conv(kernel=9, padding="valid")],
        "join": "add"}), [
        "net.json:13:4: at /body/branches/0: the number of input channels 3 cannot be split into "
        "2 equal parts",
        "net.json:19:4: at /body/branches/1: a window of 9 does not fit the height 8 padded by 0 "
        "and 0; use a smaller kernel or stride before it, more padding or a larger input",
    ]),
    "expect": (net(CONV, expect={"params": 1, "macs": 6913, "output": [1, 2, 3],
        "source": "the paper"}), [
        "net.json:12:13: at /expect/params: expected 1 params (the paper) and the network has "
        "108 (+107)",
        "net.json:13:11: at /expect/macs: expected 6,913 macs (the paper) and the network has "
        "6,912 (-1)",
        "net.json:14:13: at /expect/output: expected logits to be 1x2x3 and it is 4x8x8",
    ]),
    "expected outputs": (net(CONV, expect={"output": {"x": [4, 8, 8]}}), [
        "net.json:12:13: at /expect/output: expected outputs ['x'] and the network has ['logits']",
    ]),
    "option of a choice": (net(conv(channels={"choice": [0, 4]})), [
        "net.json:15:5: at /body/channels/choice/0: channels must be a whole number of at "
        "least 1 and at most 1,000,000, not 0",
    ]),
    "options of one choice": (net([conv(channels={"choice": [4, 8], "name": "w"}),
        conv(channels={"choice": [4, 9], "name": "w"})]), [
        "net.json:25:16: at /body/1/channels: the choice 'w' has the options '4' or '9' here and "
        "'4' or '8' elsewhere; choices that share a name share their options",
    ]),
}  # fmt: skip

# Several files, of which net.json is read first; PROJECT is their folder.
FILES = {
    "extends itself": ({"net.json": extension("net.json")}, [
        "net.json:4:13: at /extends: 'net.json' extends itself in a circle; use a spec with a "
        "body at its end",
    ]),
    "extends in a circle": ({"net.json": extension("b.json"), "b.json": extension("net.json")}, [
        "b.json:4:13: at /extends: 'net.json' extends itself in a circle; use a spec with a "
        "body at its end",
    ]),
    "extends a missing file": ({"net.json": extension("nope.json")}, [
        "nope.json: the file cannot be read: no such file or directory",
        "    referred to at net.json:4:13",
    ]),
    "extends a name misspelt": ({"net.json": extension("resnet5O")}, [
        "net.json:4:13: at /extends: 'resnet5O' is neither the name of a shipped spec nor a "
        "relative path ending in .json; did you mean 'resnet50'?",
    ]),
    "extends outside": ({"net.json": extension("../b.json")}, [
        "net.json:4:13: at /extends: '../b.json' leads outside the project PROJECT, where no "
        "file is read; use a path inside it (a folder that holds an empty file .archspec is a "
        "project)",
    ]),
    "extends an absolute path": ({"net.json": extension("/tmp/b.json")}, [
        "net.json:4:13: at /extends: '/tmp/b.json' is absolute; use a path relative to this "
        "file",
    ]),
    "extends a library": ({"net.json": extension("b.json"), "b.json": library()}, [
        "net.json:4:13: at /extends: 'b.json' is a library of templates; a spec to extend has a "
        "body",
    ]),
    "extends the input of fewer channels": ({
        "net.json": extension("b.json", input={"shape": [1, 8, 8], "std": [1, 1]}),
        "b.json": net([], input={"shape": [3, 8, 8], "mean": [0, 0, 0]}),
    }, [
        "b.json:10:11: at /input/mean: mean has 3 values and the input 1 channels; use one for "
        "each",
        "net.json:11:10: at /input/std: std has 2 values and the input 1 channels; use one for "
        "each",
    ]),
    "extends what is wrong": ({"net.json": extension("b.json"), "b.json": net("cnov")}, [
        "b.json:11:10: at /body: 'cnov' is not an op; did you mean 'conv'?",
        "    referred to at net.json:4:13",
    ]),
    "extends what is not a JSON": ({"net.json": extension("b.json"), "b.json": "{"}, [
        "b.json:1:2: this is not JSON: the end of the file stands where a key in double quotes "
        "must be",
        "    referred to at net.json:4:13",
    ]),
    "arg that is not there": ({"net.json": extension("b.json", args={"clases": 3}),
        "b.json": net([], args={"classes": 10})}, [
        "net.json:6:13: at /args/clases: the extended spec has no arg 'clases'; did you mean "
        "'classes'?",
    ]),
    "type of an arg": ({"net.json": extension("b.json", args={"classes": "x"}),
        "b.json": net([], args={"classes": {"type": "integer", "default": 10}})}, [
        "net.json:6:14: at /args/classes: classes must be a whole number, not 'x'",
    ]),
    "expect of an extension": ({"net.json": extension("b.json", expect={"params": 5}),
        "b.json": net(CONV, expect={"params": 6})}, [
        "net.json:6:13: at /expect/params: expected 5 params and the network has 108 (+103)",
    ]),
    "imports itself": ({"net.json": importing("net.json")}, [
        "net.json:12:9: at /import/a1: 'net.json' imports itself in a circle; remove the import",
    ]),
    "imports in a circle": ({"net.json": importing("a.json"), "a.json": {**library(),
        "import": {"b": "b.json"}}, "b.json": {**library(), "import": {"a": "a.json"}}}, [
        "b.json:5:8: at /import/a: 'a.json' imports itself in a circle; remove the import",
    ]),
    "imports missing files": ({"net.json": importing("a.json", "b.json")}, [
        "a.json: the file cannot be read: no such file or directory",
        "    referred to at net.json:12:9",
        "b.json: the file cannot be read: no such file or directory",
        "    referred to at net.json:13:9",
    ]),
    "imports outside": ({"net.json": importing("sub/../../a.json")}, [
        "net.json:12:9: at /import/a1: 'sub/../../a.json' leads outside the project PROJECT, "
        "where no file is read; use a path inside it (a folder that holds an empty file "
        ".archspec is a project)",
    ]),
    "imports the system's": ({"net.json": importing("../../etc/passwd")}, [
        "net.json:12:9: at /import/a1: '../../etc/passwd' is neither the name of a shipped spec "
        "nor a relative path ending in .json",
    ]),
    "imports an unprintable path": ({"net.json": importing("a\0.json")}, [
        "net.json:12:9: at /import/a1: 'a\\x00.json' is not a usable path; use at most 1,000 "
        "printable characters",
    ]),
    "imports a long path": ({"net.json": importing("a" * 1001 + ".json")}, [
        "net.json:12:9: at /import/a1: "
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... is not a usable path; "
        "use at most 1,000 printable characters",
    ]),
    "expression of a library": ({"net.json": importing("a.json", body="a1.T"),
        "a.json": library(T={"body": conv(channels="=2 +")})}, [
        "a.json:7:17: at /templates/T/body/channels: '2 +' is not an expression (it ends too soon)",
    ]),
    "shape of a library": ({"net.json": importing("a.json", body="a1.T"),
        "a.json": library(T={"body": "U"}, U={"body": [conv(groups=2)]})}, [
        "a.json:9:5: at /templates/U/body/0: the number of input channels 3 cannot be split into "
        "2 equal parts",
        "    in U, called at a.json:5:12 as t.u",
        "    in a1.T, called at net.json:14:10 as t",
    ]),
}  # fmt: skip


CASES = [
    pytest.param({"net.json": spec}, lines, id=f"{kind}: {name}")
    for kind, table in (
        ("text", TEXT),
        ("schema", SCHEMA),
        ("names", NAMES),
        ("graph", GRAPH),
    )
    for name, (spec, lines) in table.items()
] + [pytest.param(files, lines, id=f"files: {name}") for name, (files, lines) in FILES.items()]


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """The lines that `archspec validate net.json` prints of these files."""
    monkeypatch.chdir(tmp_path)
    Path(".archspec").touch()

    def call(files):
        for name, content in files.items():
            write(Path(name), content)
        code = main(["validate", "net.json"])
        out, err = capsys.readouterr()
        assert (code, out) == (1, "")
        *lines, count = err.replace(str(tmp_path), "PROJECT").splitlines()
        problems = sum(not line.startswith("    ") for line in lines)
        assert count == f"{problems} problem{'s' * (problems > 1)}"
        return lines

    return call


@pytest.mark.parametrize("files, lines", CASES)
def test_message(files, lines, told):
    assert told(files) == lines


@pytest.mark.parametrize("expression, message", EXPRESSIONS.items())
def test_expression(expression, message, told):
    args = {"width": 4, "list": [1, 2], "word": "a"}
    lines = told({"net.json": net(conv(channels=expression), args=args)})
    assert lines == [f"net.json:21:15: at /body/channels: {message}"]


@pytest.mark.parametrize("node, wrong", [
    ({"op": "conv", "channels": {"choice": [3, "../x", None, -1, "=1 + 1"]}, "kernel": 3},
     {"channels/choice/1", "channels/choice/2", "channels/choice/3"}),
    ({"op": "conv", "channels": 3, "kernel": {"choice": [[1, 3], [1, 2, 3], ["=1", 1]]}},
     {"kernel/choice/1"}),
    ({"op": "conv", "channels": 3, "kernel": 3, "repeat": 2,
      "last": {"stride": {"choice": [1, 0]}}},
     {"last/stride/choice/1"}),
    ({"op": "MBConv", "channels": 3, "each": [{"kernel": {"choice": [3, 5]}},
      {"skip": {"choice": [True, 4]}}]}, {"each/1/skip/choice/1"}),
    ({"op": "MBConv", "channels": {"a": {"choice": [1, 2]}}, "skip": {"choice": [1]}},
     {"skip/choice/0"}),
])  # fmt: skip
def test_every_option_of_a_choice_is_checked(node, wrong, told):
    if "MBConv" in str(node):
        node = {**node, "op": "T"}
    templates = {"T": {"args": {"channels": 3, "kernel": {"type": "integer", "default": 3},
                       "skip": {"type": "boolean", "default": True}}, "body": []}}  # fmt: skip
    lines = told({"net.json": net(node, templates=templates)})
    places = {line.partition(" at /body/")[2].partition(":")[0] for line in lines}
    assert places == wrong


def test_fifty_are_told_and_that_there_are_more(told):
    lines = told({"net.json": net(["rleu"] * 60)})
    assert len(lines) == 51
    assert lines[-1] == "there are more problems than these 50"


def test_an_operating_system_s_refusals(told):
    Path("net.json").mkdir()
    assert told({}) == ["net.json: this is a folder; use a JSON file"]
    Path("net.json").rmdir()
    assert told({}) == ["net.json: the file cannot be read: no such file or directory"]
    os.mkfifo("net.json")
    assert told({}) == ["net.json: this is not a regular file; use a JSON file"]


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "net.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(net(CONV)).encode())
    assert archspec.load(path).params == 108


def test_problems_are_values_too(tmp_path):
    path = tmp_path / "net.json"
    write(path, net({"op": "T", "name": "t"}, templates={"T": {"body": [conv(groups=2)]}}))
    with pytest.raises(archspec.SpecError) as error:
        archspec.load(path)
    (problem,) = error.value.problems
    assert problem.where == f"{path}:14:5"
    assert problem.pointer == "/templates/T/body/0"
    assert problem.message.startswith("the number of input channels 3 cannot")
    assert problem.stack == (f"in T, called at {path}:23:10 as t",)


def test_positions_in_any_order():
    text = '{"a": [1, {"b": 2}],\n "c/~": {"d": [], "e": [[3], 4]}}'
    at = At(parse_document(text, "x"))
    wanted = {
        "": "1:1", "/a": "1:7", "/a/0": "1:8", "/a/1": "1:11", "/a/1/b": "1:17",
        "/c~1~0": "2:9", "/c~1~0/d": "2:15", "/c~1~0/e/0/0": "2:26", "/c~1~0/e/1": "2:30",
    }  # fmt: skip
    steps = [
        (), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"),
        ("c/~",), ("c/~", "d"), ("c/~", "e", 0, 0), ("c/~", "e", 1),
    ]  # fmt: skip
    for order in (steps, steps[::-1], [*steps[::2], *steps[1::2]]):
        for pointer in order:
            problem = At(at.document, pointer).problem("")
            assert problem.where == f"x:{wanted[problem.pointer]}"
    assert At(at.document, ("a", 7)).where == "x:1:7"
    assert At(at.document, ("c/~", "x", 0)).where == "x:2:9"


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "net.json"
    write(path, net([conv(name="a", channels={"choice": [4, 8]})]))
    return archspec.Space(path), f"{path}:14:16: at /body/0/channels"


@pytest.mark.parametrize(
    "assignment, message",
    [
        ({}, "the assignment leaves 'a.channels' open"),
        ({"a.chanels": 4}, "the assignment leaves 'a.channels' open; did you mean 'a.chanels'?"),
        ({"a.channels": 5}, "'a.channels' has no option 5; use 4, 8"),
    ],
)
def test_assignments(space, assignment, message):
    with pytest.raises(archspec.SpecError) as error:
        space[0].assign(assignment)
    assert str(error.value) == f"{space[1]}: {message}"


def test_an_assignment_of_what_is_not_there(space):
    with pytest.raises(archspec.SpecError, match=r"the assignment settles 'b', which the network"):
        space[0].assign({"a.channels": 4, "b": 1})


def test_a_space_is_no_network(space):
    with pytest.raises(archspec.SpecError) as error:
        archspec.load(space[0].program.at.document.source.name)
    assert str(error.value) == (
        f"{space[1]}: this is a search space: the choice 'a.channels' is open; use an assigned"
        " space (archspec.Space(name).assign(decisions), --decisions on the command line)"
    )


OUT_OF_RANGE = {
    "a crop": ({"crop": 224_000}, [], "/input/crop: crop must be a whole number of at least 1"),
    "a size": ({"resize": 224_000}, [], "/input/resize: resize must be a whole number"),
    "a std": (
        {"std": [0, 1, 1]},
        [],
        "item 0 must be a number of at least 1e-06 and at most 1,000",
    ),
    "a mean": ({"mean": [1e300] * 3}, [], "item 0 must be a number of at least -1,000 and at most"),
    "a rate": (
        {},
        {"op": "dropout", "rate": -5},
        "rate must be a number of at least 0 and under 1",
    ),
    "a drop path": ({}, {"op": "drop_path", "rate": -0.5}, "rate must be a number of at least 0"),
    "an epsilon": ({}, {"op": "batch_norm", "epsilon": 1e9}, "of at least 1e-30 and at most 1,"),
    "an option": (
        {},
        {"op": "dropout", "rate": {"choice": [0.1, 1.5]}},
        "/body/rate/choice/1: rate must be a number of at least 0 and under 1, not 1.5",
    ),
    "another function's": (
        {},
        {"op": "act", "function": "relu", "approximate": True},
        "approximate means nothing for the function 'relu', only for 'gelu'; leave it out",
    ),
    "another function's in a copy": (
        {},
        {"op": "act", "each": [{"function": "mish", "alpha": 0.1}, {"function": "elu"}]},
        "alpha means nothing for the function 'mish', only for 'leaky_relu' or 'elu'; leave it out",
    ),
}


@pytest.mark.parametrize("settings, body, sentence", OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
def test_what_no_network_can_mean_is_refused_with_what_can_be(settings, body, sentence):
    spec = net(body or [CONV])
    spec["input"].update(settings)
    with pytest.raises(archspec.SpecError) as error:
        archspec.loads(json.dumps(spec))
    assert sentence in str(error.value)
