package approval

import (
	"fmt"
	"strings"
)

// Role is what somebody may do in a repository, lowest first. The zero Role is nothing at all.
type Role int

// The roles. GitLab's guest, reporter, developer, maintainer and owner are read, triage, write, maintain and admin.
const (
	RoleNone Role = iota
	RoleRead
	RoleTriage
	RoleWrite
	RoleMaintain
	RoleAdmin
)

// roleNames returns the names of a role: how it is written, then how GitLab calls it.
func roleNames() [][]string {
	return [][]string{
		RoleNone: {"none"}, RoleRead: {"read", "guest"}, RoleTriage: {"triage", "reporter"},
		RoleWrite: {"write", "developer"}, RoleMaintain: {"maintain", "maintainer"}, RoleAdmin: {"admin", "owner"},
	}
}

// String returns the name of the role.
func (r Role) String() string {
	if names := roleNames(); r >= 0 && int(r) < len(names) {
		return names[r][0]
	}
	return "none"
}

// ParseRole reads a role by the name that either forge gives it.
func ParseRole(text string) (Role, error) {
	for role, names := range roleNames() {
		for _, name := range names {
			if strings.EqualFold(name, text) {
				return Role(role), nil
			}
		}
	}
	return RoleNone, fmt.Errorf("role %q: want none, read, triage, write, maintain or admin, or GitLab's guest, reporter, developer, maintainer or owner", text)
}

// MarshalText writes the name of the role.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role. See ParseRole.
func (r *Role) UnmarshalText(text []byte) error {
	role, err := ParseRole(string(text))
	*r = role
	return err
}
