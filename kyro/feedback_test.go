package kyro_test

import (
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestFeedbackIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given kyro.Feedback
		field string // of the error; "": it is good
	}{
		"a thumb":                      {kyro.Feedback{Rating: kyro.RatingUp}, ""},
		"a reason of it":               {kyro.Feedback{Rating: kyro.RatingDown, Reasons: []kyro.FeedbackReason{kyro.ReasonWrong, kyro.ReasonOther}}, ""},
		"a reason of the other one":    {kyro.Feedback{Rating: kyro.RatingUp, Reasons: []kyro.FeedbackReason{kyro.ReasonWrong}}, "reasons"},
		"a good reason for a bad one":  {kyro.Feedback{Rating: kyro.RatingDown, Reasons: []kyro.FeedbackReason{kyro.ReasonClear}}, "reasons"},
		"a comment as long as it goes": {kyro.Feedback{Rating: kyro.RatingUp, Comment: strings.Repeat("é", kyro.MaxFeedbackComment)}, ""},
		"a longer one":                 {kyro.Feedback{Rating: kyro.RatingUp, Comment: strings.Repeat("é", kyro.MaxFeedbackComment+1)}, "comment"},
		"nothing":                      {kyro.Feedback{}, ""},
		"a comment without a thumb":    {kyro.Feedback{Comment: "Well."}, "rating"},
		"a reason without a thumb":     {kyro.Feedback{Reasons: []kyro.FeedbackReason{kyro.ReasonOther}}, "rating"},
		"no text":                      {kyro.Feedback{Rating: kyro.RatingUp, Comment: "a\x00b"}, "comment"},
	} {
		err := c.given.Validate()
		told, _ := err.(*kyro.Error)
		if (err == nil) != (c.field == "") || told != nil && (told.Code != kyro.CodeValidation || (len(told.Field) != 1 || told.Field[0] != c.field)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := kyro.Feedback{Rating: kyro.RatingUp, Reasons: []kyro.FeedbackReason{kyro.ReasonClear, kyro.ReasonCorrect, kyro.ReasonClear}}
	if err := twice.Validate(); err != nil || len(twice.Reasons) != 2 || twice.Reasons[0] != kyro.ReasonClear {
		t.Errorf("given twice: %v, %v", twice.Reasons, err)
	}
}
