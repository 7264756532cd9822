// Package sums is what the tests of mutants change.
package sums

// Sum adds the numbers up to most, but for those below nothing, which it leaves out.
func Sum(numbers []int, most int) (sum int) {
	for i, n := range numbers {
		if i == most {
			break
		}
		if n < 0 {
			continue
		}
		sum += n
	}
	return sum
}

// Never is called by no test.
func Never(a, b bool) bool { return a && b }
