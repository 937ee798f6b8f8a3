# Reads proton-inputs.json with nothing but a shell and awk, for machines without
# jq. Read by the scripts beside it: ". ./inputs.sh".
#
#   input PATH [DEFAULT]   prints a value: input environment.inputs.stage
#   input_list PATH        prints the items of a list, one a line
#   input_count PATH       prints how many items a list has
#   output KEY VALUE [,]   prints an entry of proton-outputs.json
#
# PATH is written as in JavaScript: service_instances[0].outputs.Url. Without a
# value and a DEFAULT, input ends the script with an error.

# Every value of the file on a line of its own: path, tab, value. Line ends and
# tabs within a value are shown as \n and \t.
_inputs=$(awk -f ./json.awk "${INPUTS:-proton-inputs.json}") || exit 1

_lookup() {
  printf '%s\n' "$_inputs" | path=$1 awk '{
    at = index($0, "\t")
    if (substr($0, 1, at - 1) == ENVIRON["path"]) { print substr($0, at + 1); found = 1; exit }
  } END { exit !found }'
}

input() {
  if _lookup "$1"; then
    return 0
  elif [ $# -gt 1 ]; then
    printf '%s\n' "$2"
  else
    echo "inputs have no $1" >&2
    return 1
  fi
}

input_count() {
  _n=0
  while printf '%s\n' "$_inputs" | path="$1[$_n]" awk 'index($0, ENVIRON["path"]) == 1 { found = 1; exit } END { exit !found }'; do
    _n=$((_n + 1))
  done
  echo "$_n"
}

input_list() {
  _i=0
  while _lookup "$1[$_i]"; do
    _i=$((_i + 1))
  done
}

output() {
  printf '  {"key": "%s", "valueString": "%s"}%s\n' "$1" "$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')" "${3:-}"
}
