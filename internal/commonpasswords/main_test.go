package main

import (
	"bytes"
	"strings"
	"testing"

	"kyrochat/auth"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := write(&out, strings.NewReader("123456\npasswordpassword\nPasswordPassword\nqwertyqwerty\nétéétéétéété\n")); err != nil {
		t.Fatal(err)
	}
	if out.Len() != 3*auth.FingerprintBytes {
		t.Errorf("%d bytes", out.Len())
	}
	for _, each := range []string{"PASSWORDPASSWORD", "qwertyqwerty", "ÉTÉétéétéété"} {
		if sum, ok := auth.Fingerprint(each); !ok || !bytes.Contains(out.Bytes(), sum[:]) {
			t.Errorf("%s is not in it", each)
		}
	}
}
