package jinja

// filterPprint is Python's pprint.pformat.
func filterPprint(r *run, a []any) any { return r.repr(a[0]) }
