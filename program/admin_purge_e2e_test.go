package program

import (
	"testing"
	"time"
)

func TestAdminPurgesBesideAServer(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		server := startProcess(t, env)
		p, other := server.signUp(t), server.signUp(t)
		bot := p.newBot()
		p.know(bot, "Ferries", "The ferry leaves at nine.")
		other.know(other.newBot(), "Trains", "The train leaves at ten.")

		operate(t, env, "", "deactivate", p.email).Ended(0)
		p.untilRefused()
		p.signInWith(p.email, password).wantCode("logIn", "INVALID_CREDENTIALS")
		operate(t, env, "", "purge", p.email).Ended(2, "--yes")
		began := time.Now()
		operate(t, env, "", "purge", p.email, "--yes").Ended(0, "is deleted.") // and on the way how much is left, where the server is slow enough
		t.Logf("deleted in %s", time.Since(began))
		operate(t, env, "", "show", p.email).Ended(1, "no account")
		operate(t, env, "", "audit", "list", "user_1", "--action", "purged").Ended(0, "admin", "system")
		operate(t, env, "", "list").Ended(0, other.email)
		operate(t, env, "", "audit", "verify").Ended(0, "intact")
		other.must(`{ viewer { id } }`, nil)
	})
}
