package account

import "kyrochat/kyro"

// checkNewPassword checks a password that somebody wants to have: WEAK_PASSWORD at "password".
func (s *Service) checkNewPassword(password string, _ ...string) error {
	return kyro.CheckPassword(password)
}
