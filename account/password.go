package account

import "kyrochat/kyro"

// Strength tells passwords that somebody could guess. auth.Strength satisfies it.
type Strength interface {
	// Weak answers WEAK_PASSWORD with a reason for a password that is easy to guess, for whoever knows what about says of
	// its owner: the address, the name.
	Weak(password string, about ...string) error
}

// checkNewPassword checks a password that somebody wants to have: WEAK_PASSWORD, at "password", with the reason.
func (s *Service) checkNewPassword(password string, about ...string) error {
	if err := kyro.CheckPassword(password); err != nil || s.strength == nil {
		return err
	}
	return s.strength.Weak(password, about...)
}
