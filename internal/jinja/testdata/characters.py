"""Prints what Python's str says of each character that its Unicode has.

A line is the character's number, its classes in the order of the methods below as 0
or 1, and its cases as JSON.
"""
import json
import unicodedata

CLASSES = [
    str.isalnum, str.isalpha, str.isdecimal, str.isdigit, str.isidentifier, str.islower,
    str.isnumeric, str.isprintable, str.isspace, str.istitle, str.isupper,
    lambda c: ("a" + c).isidentifier(), lambda c: len(("a" + c + "b").splitlines()) > 1,
]
CASES = [str.upper, str.lower, str.title, str.capitalize, str.swapcase, str.casefold]

for n in range(0x110000):
    c = chr(n)
    if unicodedata.category(c) in ("Cn", "Cs", "Co"):
        continue
    classes = "".join(str(int(f(c))) for f in CLASSES)
    cases = [f(c) for f in CASES]
    # What stands in a word: lower case, which has a sigma of its own there, and the end of a word.
    cases += [f("a" + c + "b") for f in (str.title, str.lower)] + [("a" + c + "\u03a3").lower(), ("\u03a3" + c + "a\u03a3" + c).lower()]
    cases += [str(int(c)) if c.isdecimal() else c]
    print(json.dumps([n, classes, cases]))
