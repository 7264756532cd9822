package kyro_test

import (
	"fmt"
	"testing"

	"kyrochat/kyro"
)

func TestTopIsMostCitedFirst(t *testing.T) {
	t.Parallel()
	uses := map[int64]kyro.Uses{7: {Answers: 2, Last: 70}, 3: {Answers: 5, Last: 30}, 9: {Answers: 5, Last: 90}, 1: {Answers: 1, Last: 10}}
	for most, want := range map[int]string{0: "[]", 2: "[{3 {5 30}} {9 {5 90}}]", 10: "[{3 {5 30}} {9 {5 90}} {7 {2 70}} {1 {1 10}}]"} {
		if got := fmt.Sprint(kyro.Top(uses, most)); got != want {
			t.Errorf("%d of them: %s, want %s", most, got, want)
		}
	}
	c := kyro.NewCited()
	c.Documents = uses
	if got := fmt.Sprint(c.DocumentKeys()); got != "[1 3 7 9]" {
		t.Errorf("the keys are %s", got)
	}
}
