package kyro

import "time"

// DeviceTokenTTL is how long a device is known by the token that it got when somebody signed in.
const DeviceTokenTTL = 180 * 24 * time.Hour

// DeviceToken is what a device token says: whose account was signed in to on the device, and when.
type DeviceToken struct {
	UserID ID
	ID     string // random, of this device
	Issued time.Time
}

// Knows reports whether the device is known to the account: by a token that is its own, not too old, and not from before
// the password was changed.
func (c Credentials) Knows(d DeviceToken, now time.Time) bool {
	return !c.User.ID.IsZero() && d.UserID == c.User.ID && !d.Issued.Before(c.PasswordChangedAt) && now.Before(d.Issued.Add(DeviceTokenTTL))
}
