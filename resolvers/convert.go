package resolvers

import (
	"errors"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

// problems splits an error: what the caller can mend is data for the payload, anything else stays an error. Several
// wrong fields come joined and are told together. Only a join on the outside is one of fields: a typed error may
// well have a cause that joins others, such as the connections a driver tried.
func problems(err error) ([]kyro.Error, error) {
	if err == nil {
		return []kyro.Error{}, nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []kyro.Error
		for _, each := range joined.Unwrap() {
			list, err := problems(each)
			if err != nil {
				return nil, err
			}
			all = append(all, list...)
		}
		return all, nil
	}
	var known *kyro.Error
	if errors.As(err, &known) && known.InPayload() {
		return []kyro.Error{*known}, nil
	}
	return nil, err
}

// unless gives the value's address where there is no problem, and nil where there is one.
func unless[T any](problems []kyro.Error, value T) *T {
	if len(problems) > 0 {
		return nil
	}
	return &value
}

// opt makes a patch's field of an input's field.
func opt[T any](o graphql.Omittable[*T]) kyro.Opt[T] {
	value, set := o.ValueOK()
	return kyro.Opt[T]{Set: set, Value: value}
}

func optList(o graphql.Omittable[[]string]) kyro.Opt[[]string] {
	value, set := o.ValueOK()
	if value == nil {
		return kyro.Opt[[]string]{Set: set}
	}
	return kyro.Opt[[]string]{Set: set, Value: &value}
}

// optional is the input's value where one was given and is not null, else the zero T.
func optional[T any](o graphql.Omittable[*T]) T {
	var none T
	if value := o.Value(); value != nil {
		return *value
	}
	return none
}

// orNull is null for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func newBotPatch(in model.CreateBotInput) kyro.BotPatch {
	return kyro.BotPatch{
		Name: kyro.Some(in.Name), Description: opt(in.Description), Instructions: opt(in.Instructions),
		WelcomeMessage: opt(in.WelcomeMessage), SuggestedQuestions: optList(in.SuggestedQuestions),
		Model: opt(in.Model), Temperature: opt(in.Temperature), MaxOutputTokens: opt(in.MaxOutputTokens),
		TopK: opt(in.TopK), MinScore: opt(in.MinScore), NoAnswerText: opt(in.NoAnswerText), Strict: opt(in.Strict),
	}
}

func botPatch(in model.UpdateBotInput) kyro.BotPatch {
	return kyro.BotPatch{
		Name: opt(in.Name), Description: opt(in.Description), Instructions: opt(in.Instructions),
		WelcomeMessage: opt(in.WelcomeMessage), SuggestedQuestions: optList(in.SuggestedQuestions),
		Model: opt(in.Model), Temperature: opt(in.Temperature), MaxOutputTokens: opt(in.MaxOutputTokens),
		TopK: opt(in.TopK), MinScore: opt(in.MinScore), NoAnswerText: opt(in.NoAnswerText), Strict: opt(in.Strict),
	}
}

func botFilter(in *model.BotFilter) kyro.BotFilter {
	if in == nil {
		return kyro.BotFilter{}
	}
	return kyro.BotFilter{Search: optional(in.Search)}
}

func botOrder(in *model.BotOrder) kyro.BotOrder {
	if in == nil {
		return kyro.BotOrder{By: kyro.BotsByCreation, Direction: kyro.Desc}
	}
	return kyro.BotOrder{By: in.Field, Direction: in.Direction}
}

func documentFilter(in *model.DocumentFilter) kyro.DocumentFilter {
	if in == nil {
		return kyro.DocumentFilter{}
	}
	return kyro.DocumentFilter{Status: in.Status.Value(), Kind: in.Kind.Value(), Search: optional(in.Search)}
}

func conversationFilter(in *model.ConversationFilter) (kyro.ConversationFilter, error) {
	if in == nil {
		return kyro.ConversationFilter{}, nil
	}
	f := kyro.ConversationFilter{BotID: optional(in.BotID), Archived: in.Archived.Value(), Search: optional(in.Search)}
	if f.BotID.IsZero() {
		return f, nil
	}
	return f, f.BotID.Expect(kyro.KindBot)
}

func conversationOrder(in *model.ConversationOrder) kyro.ConversationOrder {
	if in == nil {
		return kyro.ConversationOrder{By: kyro.ConversationsByLastMessage, Direction: kyro.Desc}
	}
	return kyro.ConversationOrder{By: in.Field, Direction: in.Direction}
}
