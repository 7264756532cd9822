package program

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"kyrochat/internal/s3"
	"kyrochat/internal/testdb"
)

// eachStorage runs a test on each database, with files where they are by default, and in a bucket.
func eachStorage(t *testing.T, test func(t *testing.T, s *testServer, bucket *s3.Emulator)) {
	t.Helper()
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		for _, inBucket := range []bool{false, true} {
			t.Run(database+pick(inBucket, " and a bucket", ""), func(t *testing.T) {
				t.Parallel()
				env := map[string]string{}
				if database == "postgres" {
					env["DATABASE_URL"] = testdb.PostgresURL(t)
				}
				var bucket *s3.Emulator
				if inBucket {
					bucket = s3.Start(t)
					maps.Copy(env, bucket.Env())
				}
				test(t, startServer(t, env), bucket)
			})
		}
	}
}

// slot makes a place for an upload and gives its id and address.
func (p *person) slot(bot, name string, size int) (id, address string) {
	p.t.Helper()
	v := vars{"b": bot, "n": name}
	if size > 0 {
		v["s"] = size
	}
	got := p.must(`mutation($b: ID!, $n: String!, $s: Int) { createUpload(input: {botId: $b, fileName: $n, sizeBytes: $s}) {
		upload { id url fileName receivedBytes sizeBytes document { id } expiresAt } errors { code message } } }`, v)
	return got.text("createUpload.upload.id"), got.text("createUpload.upload.url")
}

// atServer is the address at another server.
func atServer(address string, s *testServer) string {
	u, _ := url.Parse(address)
	return s.url + u.Path
}

// carried is what came back for a file.
type carried struct {
	status int
	head   http.Header
	body   string
}

func (a carried) offset() int {
	n, err := strconv.Atoi(a.head.Get("Upload-Offset"))
	if err != nil {
		return -1
	}
	return n
}

// code is that of the first error.
func (a carried) code() string {
	var body struct{ Errors []struct{ Code string } }
	if json.Unmarshal([]byte(a.body), &body) != nil || len(body.Errors) == 0 {
		return ""
	}
	return body.Errors[0].Code
}

// document is what the last part was carried with.
func (a carried) document(t *testing.T) string {
	t.Helper()
	var body struct{ DocumentID, Status string }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != http.StatusCreated || body.DocumentID == "" || body.Status == "" {
		t.Fatalf("no document in %d %s", a.status, a.body)
	}
	return body.DocumentID
}

// carry sends a request for a file; the header is name, value, name, value.
func carry(t *testing.T, method, address string, body io.Reader, header ...string) carried {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return carried{response.StatusCode, response.Header, string(text)}
}

// part sends bytes of a file, from at on; total 0 is not known.
func part(t *testing.T, address string, content []byte, at, total int) carried {
	t.Helper()
	all := "*"
	if total > 0 {
		all = strconv.Itoa(total)
	}
	return carry(t, http.MethodPut, address, bytes.NewReader(content), "Content-Range", fmt.Sprintf("bytes %d-%d/%s", at, at+len(content)-1, all))
}

// pages is a text of so many bytes at least, that is found by its words.
func pages(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "Paragraph %d tells how the lighthouse of Brackwater keeps its lamp %d burning.\n\n", i, i*7)
	}
	return b.Bytes()
}

func (p *person) download(document string) (address string) {
	p.t.Helper()
	address, _ = p.must(`query($d: ID!) { document(id: $d) { downloadUrl } }`, vars{"d": document}).get("document.downloadUrl").(string)
	return address
}

// cutPut sends a part whose connection breaks after so many bytes.
func cutPut(t *testing.T, address string, content []byte, at, after, total int) {
	t.Helper()
	u, _ := url.Parse(address)
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n\r\n",
		u.Path, u.Host, len(content)-at, at, len(content)-1, total)
	if _, err := conn.Write(content[at : at+after]); err != nil {
		t.Fatal(err)
	}
}

// formless is bytes of no format.
func formless(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	return content
}
