package operator

import (
	"strings"
	"testing"

	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

// TestTellsNobodyWhereNoServerWas: an installation that no server has named has none that could be told, and gets no name by that.
func TestTellsNobodyWhereNoServerWas(t *testing.T) {
	t.Parallel()
	env := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "REDIS_URL": "redis://127.0.0.1:1"}
	var said strings.Builder
	o := &operator{Options: Options{Getenv: envtest.Of(env), ErrOut: &said}, founds: true, ended: []kyro.ID{kyro.SessionID(1)}}
	if err := o.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := o.tellServers(); err != nil {
		t.Errorf("it tries to tell somebody: %v", err)
	}
	if name, err := o.store.Name(t.Context()); name != "" || err != nil {
		t.Errorf("the installation is named %q, %v", name, err)
	}
	if err := o.close(); err != nil || strings.Contains(said.String(), "Redis") {
		t.Errorf("closing says %v, %s", err, said.String())
	}
}
