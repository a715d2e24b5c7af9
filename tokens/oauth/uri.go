package oauth

// Unreserved reports whether s holds only ALPHA, DIGIT, "-" and "_", and with
// dots also "." and "~": the unreserved characters of RFC 3986 §2.3.
func Unreserved(s string, dots bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case dots && (c == '.' || c == '~'):
		default:
			return false
		}
	}
	return true
}
