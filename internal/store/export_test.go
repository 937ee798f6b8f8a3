package store

// LookAt bounds how many rows the lists of a store look at for one page.
func LookAt(s *Store, rows int) *Store {
	s.looks = rows
	return s
}
