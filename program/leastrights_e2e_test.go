package program

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"kyrochat/doctor"
	"kyrochat/internal/envtest"
	"kyrochat/internal/testdb"
)

// TestAServerNeedsNoRightToTheSchema: a server whose user of the database is made as the manual says, and may read and write
// rows and nothing else, does what it does elsewhere, the doctor finds nothing wrong with it, and whoever has its password can neither switch off what keeps the audit log nor make tables.
func TestAServerNeedsNoRightToTheSchema(t *testing.T) {
	t.Parallel()
	owner := testdb.PostgresURL(t)
	conn, err := pgx.Connect(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	at, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	role := strings.TrimPrefix(at.Path, "/") + "_server"
	at.User = url.UserPassword(role, canaryDatabase)
	manual, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, statements, _ := strings.Cut(string(manual), "```sql elsewhere=TestAServerNeedsNoRightToTheSchema\n")
	statements, _, _ = strings.Cut(statements, "```")
	statements = strings.NewReplacer("kyro_server", role, "…", canaryDatabase).Replace(statements)
	if _, err := conn.Exec(t.Context(), statements); err != nil || !strings.Contains(statements, "CREATE ROLE") {
		t.Fatalf("%v: %s", err, statements)
	}
	s := startServer(t, map[string]string{"DATABASE_URL": at.String()})
	p := s.signUp(t)
	bot := p.newBot()
	document := p.know(bot, "Tea", teaText)
	p.chat(vars{"botId": bot, "text": "How long does green tea steep?"})
	p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": document})
	p.must(`mutation { exportMyData { export { id } errors { code } } }`, nil)

	diagnosis, _ := diagnosed(t, map[string]string{"DATABASE_URL": at.String(), "KYRO_DATA_DIR": t.TempDir(), "KYRO_SECRET": envtest.SecretOne})
	diagnosis.want(t, "database-schema", doctor.Fine, "that of this program")
	diagnosis.want(t, "database-settings", doctor.Noted, "may use the tables and not change them")
	// How the database of the tests keeps what it has on the disk is another thing.
	if slices.ContainsFunc(diagnosis.of(t, "database-settings"), func(f doctor.Finding) bool { return f.Status == doctor.Failed || strings.Contains(f.Mend, "GRANT") }) {
		t.Errorf("the doctor says %+v", diagnosis.of(t, "database-settings"))
	}

	thief, err := pgx.Connect(t.Context(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thief.Close(t.Context()) }()
	for _, statement := range []string{
		"ALTER TABLE audit_log DISABLE TRIGGER ALL", "DROP TRIGGER audit_log_changed ON audit_log", "TRUNCATE audit_log", "DELETE FROM audit_log", "UPDATE audit_log SET succeeded = true",
		"UPDATE audit_head SET lines = 0", "CREATE TABLE mine (id int)", "DROP TABLE sessions", "SET session_replication_role = replica",
	} {
		if _, err := thief.Exec(t.Context(), statement); err == nil {
			t.Errorf("whoever has the server's password may %s", statement)
		}
	}
	var lines int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM audit_log").Scan(&lines); err != nil || lines < 5 {
		t.Error(fmt.Sprint(lines, " lines, ", err))
	}
}
