// Commonpasswords makes auth/common.bin of a list of passwords, one a line, the most common first. What it reads and
// why is said in auth/common.go.
package main

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"os"
	"slices"

	"kyrochat/auth"
)

// most is how many passwords are kept.
const most = 20_000

func main() {
	if err := write(os.Stdout, os.Stdin); err != nil {
		log.Fatal(err)
	}
}

// write gives the fingerprints of the first passwords that are allowed, in ascending order, without doubles.
func write(out io.Writer, in io.Reader) error {
	seen := map[[auth.FingerprintBytes]byte]bool{}
	var sums [][]byte
	for lines := bufio.NewScanner(in); len(sums) < most; {
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				return err
			}
			break
		}
		if sum, allowed := auth.Fingerprint(lines.Text()); allowed && !seen[sum] {
			seen[sum] = true
			sums = append(sums, sum[:])
		}
	}
	slices.SortFunc(sums, bytes.Compare)
	_, err := out.Write(bytes.Join(sums, nil))
	return err
}
