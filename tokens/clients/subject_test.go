package clients

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// subjectDER writes a name as a certificate has it: the RDNs in its order, each
// of attributes such as CN=worker.
func subjectDER(t *testing.T, rdns ...string) []byte {
	t.Helper()
	types := map[string]asn1.ObjectIdentifier{
		"C": {2, 5, 4, 6}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "CN": {2, 5, 4, 3}, "MAIL": {1, 2, 840, 113549, 1, 9, 1}, "X": {1, 2, 3, 4},
	}
	var sequence pkix.RDNSequence
	for _, rdn := range rdns {
		var set pkix.RelativeDistinguishedNameSET
		for attribute := range strings.SplitSeq(rdn, "+") {
			name, value, _ := strings.Cut(attribute, "=")
			set = append(set, pkix.AttributeTypeAndValue{Type: types[name], Value: value})
		}
		sequence = append(sequence, set)
	}
	der, err := asn1.Marshal(sequence)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A13: the subject was compared as crypto/x509/pkix prints it, which knows one CN
// and one order: a certificate with a second CN, or the same parts in another
// order, was as good as the client's own.
func TestA13SubjectNames(t *testing.T) {
	whole := []string{"C=DE", "O=Example, Inc.", "CN=worker"}
	for _, tt := range []struct {
		name, text  string
		certificate []string
		same        bool
	}{
		{"as OpenSSL writes it", `CN=worker,O=Example\, Inc.,C=DE`, whole, true},
		{"spaces and semicolons", `CN = worker ; O = Example\, Inc. , C = DE`, whole, true},
		{"types in small letters", `cn=worker,o=Example\, Inc.,c=DE`, whole, true},
		{"types as OIDs", `2.5.4.3=worker,2.5.4.10=Example\, Inc.,2.5.4.6=DE`, whole, true},
		{"other case and spaces", `CN=WORKER,O=EXAMPLE\,   INC.\20,C=de`, whole, true},
		{"escapes in hex", `CN=\77orker,O=Example\2C Inc.,C=DE`, whole, true},
		{"a value in DER", `CN=#0C06776f726b6572,O=Example\, Inc.,C=DE`, whole, true},
		{"another order in the text", `C=DE,O=Example\, Inc.,CN=worker`, whole, false},
		{"another order in the certificate", `CN=worker,O=Example\, Inc.,C=DE`, []string{"CN=worker", "O=Example, Inc.", "C=DE"}, false},
		{"an RDN more in front", `CN=worker,O=Example\, Inc.,C=DE`, append([]string{"O=Other"}, whole...), false},
		{"an RDN more at the end", `CN=worker,O=Example\, Inc.,C=DE`, append(whole, "OU=Other"), false},
		{"an RDN of a strange type more", `CN=worker,O=Example\, Inc.,C=DE`, append(whole, "X=y"), false},
		{"an RDN less", `CN=worker,O=Example\, Inc.,C=DE`, whole[1:], false},
		{"a second CN behind it", `CN=worker,O=Example\, Inc.,C=DE`, append(whole, "CN=thief"), false},
		{"a second CN before it", `CN=worker,O=Example\, Inc.,C=DE`, []string{"C=DE", "O=Example, Inc.", "CN=thief", "CN=worker"}, false},
		{"the same CN twice", `CN=worker,O=Example\, Inc.,C=DE`, append(whole, "CN=worker"), false},
		{"two CNs that are meant", `CN=a,CN=b`, []string{"CN=b", "CN=a"}, true},
		{"two CNs in the other order", `CN=a,CN=b`, []string{"CN=a", "CN=b"}, false},
		{"a multi-valued RDN", `CN=worker+OU=jobs,O=x`, []string{"O=x", "CN=worker+OU=jobs"}, true},
		{"a multi-valued RDN in the other order", `OU=jobs+CN=worker,O=x`, []string{"O=x", "CN=worker+OU=jobs"}, true},
		{"a multi-valued RDN in two", `CN=worker,OU=jobs,O=x`, []string{"O=x", "CN=worker+OU=jobs"}, false},
		{"two RDNs in one", `CN=worker+OU=jobs,O=x`, []string{"O=x", "OU=jobs", "CN=worker"}, false},
		{"a comma in a value is no separator", `CN=worker,O=x`, []string{"CN=worker,O=x"}, false},
		{"a plus in a value is none", `CN=worker\+OU\=jobs`, []string{"CN=worker"}, false},
		{"a type within a value", `CN=worker\,O\=x`, []string{"O=x", "CN=worker"}, false},
		{"no ASCII", `CN=Jos\C3\A9,O=李雷`, []string{"O=李雷", "CN=José"}, true},
		{"signs that only look alike", "CN=wor\u212aer", []string{"CN=worker"}, false},
		{"email", `emailAddress=a@example.com,CN=worker`, []string{"CN=worker", "MAIL=a@example.com"}, true},
		{"an unknown type", `1.2.3.4=y,CN=worker`, []string{"CN=worker", "X=y"}, true},
		{"an empty value", `CN=`, []string{"CN="}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, err := ParseSubjectName(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			got := SubjectNameOf(subjectDER(t, tt.certificate...))
			if (got == want) != tt.same {
				t.Errorf("certificate %q, configured %q", got, want)
			}
			// What is written is read again as the same.
			if again, err := ParseSubjectName(string(got)); err != nil || again != got {
				t.Errorf("%q reads as %q, %v", got, again, err)
			}
		})
	}
}

func TestSubjectNameKinds(t *testing.T) {
	want, err := ParseSubjectName("CN=Müller")
	if err != nil {
		t.Fatal(err)
	}
	bmp := asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte{0, 'M', 0, 0xfc, 0, 'l', 0, 'l', 0, 'e', 0, 'r'}}
	der, err := asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: bmp}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := SubjectNameOf(der); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	number, err := asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: 7}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := SubjectNameOf(number); got != "CN=#020107" {
		t.Errorf("a number: %q", got)
	}
	for _, der := range [][]byte{nil, {}, []byte("text"), append(der, 0)} {
		if got := SubjectNameOf(der); got != "" {
			t.Errorf("%q of %x", got, der)
		}
	}
	for _, text := range []string{"", "worker", "CN", "=x", "CN=a,", "nickname=x", "CN=a,,O=b", `CN="a, b"`, "CN=#zz", "CN=#0c05", `CN=a\`, "CN=\xff", `CN=\ff`, "+CN=a"} {
		if name, err := ParseSubjectName(text); err == nil {
			t.Errorf("%q reads as %q", text, name)
		}
	}
}

func FuzzSubjectName(f *testing.F) {
	for _, seed := range []string{`CN=worker,O=Example\, Inc.,C=DE`, `CN=a+OU=b`, `CN=\20a\20`, `1.2.3=#0C0141`, `CN=\#a`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ParseSubjectName(text)
		if err != nil {
			return
		}
		if again, err := ParseSubjectName(string(name)); err != nil || again != name {
			t.Errorf("%q reads as %q, and that as %q, %v", text, name, again, err)
		}
	})
}

// A13: each name that is configured has to be in the certificate; hosts have no case.
func TestA13CertificateNames(t *testing.T) {
	shown := &PeerCertificate{
		Verified: true, Subject: "CN=worker,O=x", DNS: []string{"Worker.Example.com", "*.jobs.example.com"},
		URIs: []string{"spiffe://x/Worker"}, IPs: []string{"10.0.0.7"}, Emails: []string{"Jo@example.com"},
	}
	for _, tt := range []struct {
		name string
		c    TLS
		want bool
	}{
		{"nothing is asked for", TLS{}, false},
		{"subject", TLS{Subject: "CN=worker,O=x"}, true},
		{"subject and a name that is missing", TLS{Subject: "CN=worker,O=x", URI: "spiffe://x/other"}, false},
		{"host", TLS{DNS: "worker.example.com"}, true},
		{"a wildcard is no host", TLS{DNS: "a.jobs.example.com"}, false},
		{"part of a host", TLS{DNS: "example.com"}, false},
		{"URI", TLS{URI: "spiffe://x/Worker"}, true},
		{"URI in another case", TLS{URI: "spiffe://x/worker"}, false},
		{"address", TLS{IP: "10.0.0.7"}, true},
		{"email in another case", TLS{Email: "jo@example.com"}, false},
	} {
		if got := tt.c.accepts(shown); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
		unverified := *shown
		if unverified.Verified = false; tt.c.accepts(&unverified) {
			t.Errorf("%s: accepted without a chain", tt.name)
		}
	}
}
