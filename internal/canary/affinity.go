package canary

// DefaultCookieMaxAge is Flagger's lifetime of the session cookie, in seconds.
const DefaultCookieMaxAge = 86400

// SessionAffinity keeps a user who has once seen the canary on it, by a cookie.
type SessionAffinity struct {
	CookieName        string `json:"cookieName"`
	PrimaryCookieName string `json:"primaryCookieName,omitempty"`
	MaxAge            int    `json:"maxAge,omitempty"` // seconds
	Domain            string `json:"domain,omitempty"`
	Path              string `json:"path,omitempty"`
	HTTPOnly          bool   `json:"httpOnly,omitempty"`
	Secure            bool   `json:"secure,omitempty"`
	Partitioned       bool   `json:"partitioned,omitempty"`
	SameSite          string `json:"sameSite,omitempty"`
}

// EffectiveMaxAge is the lifetime of the cookie in seconds.
func (s *SessionAffinity) EffectiveMaxAge() int { return positiveOr(s.MaxAge, DefaultCookieMaxAge) }
