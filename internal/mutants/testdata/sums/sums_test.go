package sums

import "testing"

func TestSum(t *testing.T) {
	if got := Sum([]int{1, 2, 3, 4, 5}, 3); got != 6 {
		t.Errorf("%d", got)
	}
	if got := Sum([]int{-1, 2}, 3); got != 2 {
		t.Errorf("%d", got)
	}
}
