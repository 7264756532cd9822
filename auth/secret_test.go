package auth_test

import (
	"strings"
	"testing"

	"kyrochat/auth"
)

// Secrets of the tests; random, and used nowhere else.
const (
	secretA = "vQ8mZr2Lx0TfKc7WnYp4Hs9JdGb3Ae6U"
	secretB = "r5XoPq1NwEt8MbVz2LcKy7RfJg4Hd0Su"
	secretC = "c2NlMtWq9Zx4Rv7Kb1Yp6Hf3Jd8Gs5La"
)

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{
		"empty": "", "one byte short": secretA[1:], "sample": "ChangeMe-" + secretA, "one character": strings.Repeat("x", 64),
		"repeated piece": strings.Repeat("kT7#pQ2m", 5), "few characters": "abacabadabacabaeabacabadabacabaf",
		"seven characters": "abcdefgggfedcbaacegbdfggfdbgecab",
	} {
		err := auth.CheckSecret(secret)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the message holds the secret", name)
		}
	}
	for _, secret := range []string{secretA, secretB, "4f1e9b07c2d85a36e0b7194dfc62a835", "abcdefghhgfedcbaacegbdfhhfdbgeca"} {
		if err := auth.CheckSecret(secret); err != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
}
