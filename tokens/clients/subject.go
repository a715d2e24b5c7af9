package clients

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// SubjectName is the name of a certificate's subject, written so that two names
// are the same exactly where their texts are: as RFC 4514 has it, with the
// attributes of a multi-valued RDN in order, and the letters A to Z of values
// small, since names are compared without regard to case (RFC 5280 §7.1). "" is
// no name.
type SubjectName string

// attributeTypes are the names of attribute types in names: those of RFC 4514
// §3 first, then what OpenSSL and Java write.
var attributeTypes = []struct{ oid, names string }{
	{"2.5.4.3", "CN"},
	{"2.5.4.7", "L"},
	{"2.5.4.8", "ST S"},
	{"2.5.4.10", "O"},
	{"2.5.4.11", "OU"},
	{"2.5.4.6", "C"},
	{"2.5.4.9", "STREET streetAddress"},
	{"0.9.2342.19200300.100.1.25", "DC"},
	{"0.9.2342.19200300.100.1.1", "UID"},
	{"1.2.840.113549.1.9.1", "emailAddress E EMAIL"},
	{"2.5.4.4", "SN surname"},
	{"2.5.4.5", "serialNumber"},
	{"2.5.4.12", "title T"},
	{"2.5.4.13", "description"},
	{"2.5.4.15", "businessCategory"},
	{"2.5.4.17", "postalCode"},
	{"2.5.4.42", "GN givenName"},
	{"2.5.4.43", "initials"},
	{"2.5.4.44", "generationQualifier"},
	{"2.5.4.46", "dnQualifier"},
	{"2.5.4.65", "pseudonym"},
	{"2.5.4.97", "organizationIdentifier"},
	{"1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"},
	{"1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"},
	{"1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"},
}

// typeByName and nameByType are attributeTypes, by small names and by OIDs.
var typeByName, nameByType = func() (byName, byType map[string]string) {
	byName, byType = make(map[string]string), make(map[string]string)
	for _, t := range attributeTypes {
		names := strings.Fields(t.names)
		byType[t.oid] = names[0]
		for _, name := range names {
			byName[strings.ToLower(name)] = t.oid
		}
	}
	return byName, byType
}()

// ParseSubjectName reads a name as RFC 4514 writes it, the last RDN of the
// certificate first, as `openssl x509 -noout -subject -nameopt RFC2253` does.
// Spaces around the separators are no part of it.
func ParseSubjectName(text string) (SubjectName, error) {
	var rdns []string
	var attributes []string
	for rest, more := text, true; more; {
		var one string
		var by byte
		one, by, rest, more = cutAttribute(rest)
		attribute, err := parseAttribute(one)
		if err != nil {
			return "", err
		}
		attributes = append(attributes, attribute)
		if by != '+' {
			rdns, attributes = append(rdns, joinRDN(attributes)), nil
		}
	}
	return SubjectName(strings.Join(rdns, ",")), nil
}

// cutAttribute cuts a name at its first separator.
func cutAttribute(text string) (attribute string, by byte, rest string, more bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ',', ';', '+':
			return text[:i], text[i], text[i+1:], true
		}
	}
	return text, 0, "", false
}

// parseAttribute reads one attribute, such as CN=worker. See RFC 4514 §3.
func parseAttribute(text string) (string, error) {
	name, value, ok := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		return "", fmt.Errorf("%q is not an attribute such as CN=worker; a comma within a value is written \\,", text)
	}
	oid, known := typeByName[strings.ToLower(name)]
	if !known {
		if strings.Trim(name, "0123456789.") != "" {
			return "", fmt.Errorf("the attribute %q is unknown: write its OID, such as 2.5.4.3 for CN", name)
		}
		oid = name
	}
	value = strings.TrimLeft(value, " ")
	if digits, isHex := strings.CutPrefix(value, "#"); isHex {
		der, err := hex.DecodeString(strings.TrimRight(digits, " "))
		var raw asn1.RawValue
		if err == nil {
			var rest []byte
			if rest, err = asn1.Unmarshal(der, &raw); err == nil && len(rest) > 0 {
				err = errors.New("more follows")
			}
		}
		if err != nil {
			return "", fmt.Errorf("the value of %s begins with # and is not DER in hex: escape it as \\#, if it is text", name)
		}
		return writeAttribute(oid, raw), nil
	}
	value, err := unescapeValue(value)
	if err != nil {
		return "", fmt.Errorf("the value of %s %w", name, err)
	}
	return writeText(oid, value), nil
}

// unescapeValue reads the text of a value. See RFC 4514 §2.4 and §3.
func unescapeValue(text string) (string, error) {
	var b strings.Builder
	end := 0 // behind the last sign that is no bare space
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return "", errors.New(`has a bare quotation mark: write \" for one, and \, for a comma`)
		case c != '\\':
			b.WriteByte(c)
			if c == ' ' {
				continue
			}
		case i+2 < len(text) && isHexDigit(text[i+1]) && isHexDigit(text[i+2]):
			pair, _ := hex.DecodeString(text[i+1 : i+3]) // it is one
			b.WriteByte(pair[0])
			i += 2
		case i+1 < len(text):
			b.WriteByte(text[i+1])
			i++
		default:
			return "", errors.New("ends with a backslash")
		}
		end = b.Len()
	}
	value := b.String()[:end]
	if !utf8.ValidString(value) {
		return "", errors.New("is not UTF-8")
	}
	return value, nil
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// relativeNameSET is an RDN in DER; the name tells encoding/asn1 that it is a SET.
type relativeNameSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// SubjectNameOf reads the name of a certificate, in DER; "" where it is none,
// or has no part.
func SubjectNameOf(der []byte) SubjectName {
	var sequence []relativeNameSET
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return ""
	}
	rdns := make([]string, 0, len(sequence))
	for _, set := range slices.Backward(sequence) {
		attributes := make([]string, len(set))
		for i, a := range set {
			attributes[i] = writeAttribute(a.Type.String(), a.Value)
		}
		rdns = append(rdns, joinRDN(attributes))
	}
	return SubjectName(strings.Join(rdns, ","))
}

// joinRDN writes an RDN, which is a set: its attributes have no order.
func joinRDN(attributes []string) string {
	slices.Sort(attributes)
	return strings.Join(attributes, "+")
}

// writeAttribute writes an attribute: a text of any kind as such, all else as DER in hex.
func writeAttribute(oid string, value asn1.RawValue) string {
	if text, ok := textOf(value); ok {
		return writeText(oid, text)
	}
	return typeName(oid) + "=#" + hex.EncodeToString(value.FullBytes)
}

// textOf decodes the string types that names are written in. See RFC 5280 §4.1.2.4.
func textOf(value asn1.RawValue) (string, bool) {
	if value.Class != asn1.ClassUniversal || value.IsCompound {
		return "", false
	}
	switch value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, 26: // VisibleString
		return string(value.Bytes), utf8.Valid(value.Bytes)
	case asn1.TagBMPString:
		if len(value.Bytes)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(value.Bytes)/2)
		for i := 0; i < len(value.Bytes); i += 2 {
			units = append(units, uint16(value.Bytes[i])<<8|uint16(value.Bytes[i+1]))
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// writeText writes an attribute whose value is a text: small, with one space
// where there are several, none at its ends, and escaped. See RFC 4514 §2.4,
// RFC 4518 §2.6.1.
func writeText(oid, value string) string {
	var b strings.Builder
	b.WriteString(typeName(oid))
	b.WriteByte('=')
	for i, word := range slices.Collect(strings.FieldsFuncSeq(value, func(r rune) bool { return r == ' ' })) {
		if i > 0 {
			b.WriteByte(' ')
		}
		for j := range len(word) { // bytes: only ASCII has a case here, and only ASCII is escaped
			switch c := word[j]; {
			case c < 0x20 || c == 0x7f:
				fmt.Fprintf(&b, `\%02x`, c)
			case strings.IndexByte(`"+,;<>\=`, c) >= 0 || c == '#' && i == 0 && j == 0:
				b.WriteByte('\\')
				b.WriteByte(c)
			case 'A' <= c && c <= 'Z':
				b.WriteByte(c + 'a' - 'A')
			default:
				b.WriteByte(c)
			}
		}
	}
	return b.String()
}

func typeName(oid string) string {
	if name, ok := nameByType[oid]; ok {
		return name
	}
	return oid
}
