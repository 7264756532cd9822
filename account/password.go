package account

import "kyrochat/kyro"

// checkNewPassword answers WEAK_PASSWORD for a password that is not to be anybody's.
func (s *Service) checkNewPassword(password string, about ...string) error {
	return kyro.CheckPassword(password)
}
