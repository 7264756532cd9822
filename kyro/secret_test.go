package kyro_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// TestSecretsDoNotShow whatever is done with them by accident.
func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	const text = "correct-horse"
	secret := kyro.Secret(text)
	inside := struct {
		Key  kyro.Secret
		Keys []kyro.Secret
		At   *kyro.Secret
	}{secret, []kyro.Secret{secret}, &secret}
	var said bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%T %[1]v", "%30s", "%.3s"} {
		fmt.Fprintf(&said, verb+"\n", secret)
		fmt.Fprintf(&said, verb+"\n", inside)
	}
	fmt.Fprintln(&said, secret, inside, fmt.Errorf("wrapped: %w", errors.New(secret.String())))
	for _, handler := range []slog.Handler{slog.NewTextHandler(&said, nil), slog.NewJSONHandler(&said, nil)} {
		slog.New(handler).With("key", secret).Info("said", "secret", secret, "inside", inside, slog.Group("group", "secret", secret))
	}
	for _, value := range []any{secret, inside} {
		if err := json.NewEncoder(&said).Encode(value); err != nil {
			t.Fatal(err)
		}
	}
	for _, form := range []string{text, text[:3], fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), fmt.Sprintf("% x", text)} {
		if strings.Contains(said.String(), form) {
			t.Errorf("%q shows in:\n%s", form, said.String())
		}
	}
	if !strings.Contains(said.String(), "***") {
		t.Errorf("nothing stands for it in:\n%s", said.String())
	}
	if string(secret) != text {
		t.Error("the secret is lost")
	}
}
