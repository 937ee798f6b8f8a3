# Prints every scalar of a JSON file as "path<TAB>value". Works with any awk.
{ text = text $0 "\n" }

END {
  at = 1
  value("")
  exit failed
}

function fail(what) {
  if (!failed) print "inputs: " what " at character " at > "/dev/stderr"
  failed = 1
}

function blank() {
  while (at <= length(text) && index(" \t\r\n", substr(text, at, 1))) at++
}

# value reads the value that begins at the next character.
function value(path,    c, start) {
  blank()
  c = substr(text, at, 1)
  if (c == "{") object(path)
  else if (c == "[") list(path)
  else if (c == "\"") print path "\t" string()
  else {
    start = at
    while (at <= length(text) && !index(",]} \t\r\n", substr(text, at, 1))) at++
    if (at == start) fail("want a value")
    else print path "\t" substr(text, start, at - start)
  }
}

function object(path,    key) {
  at++
  blank()
  if (substr(text, at, 1) == "}") { at++; return }
  while (!failed) {
    blank()
    if (substr(text, at, 1) != "\"") { fail("want a name"); return }
    key = string()
    blank()
    if (substr(text, at, 1) != ":") { fail("want a colon"); return }
    at++
    value(path == "" ? key : path "." key)
    if (last("}")) return
  }
}

function list(path,    n) {
  at++
  blank()
  if (substr(text, at, 1) == "]") { at++; return }
  for (n = 0; !failed; n++) {
    value(path "[" n "]")
    if (last("]")) return
  }
}

# last says whether the object or list ends here, and goes past the comma if not.
function last(end,    c) {
  blank()
  c = substr(text, at, 1)
  if (c != end && c != ",") fail("want , or " end)
  at++
  return c == end
}

# string reads a string; \uXXXX is kept as it is written.
function string(    out, c) {
  out = ""
  for (at++; at <= length(text); at++) {
    c = substr(text, at, 1)
    if (c == "\"") { at++; return out }
    if (c == "\\") {
      at++
      c = substr(text, at, 1)
      if (index("ntbfru", c)) c = "\\" c
    }
    out = out c
  }
  fail("a string has no end")
  return out
}
