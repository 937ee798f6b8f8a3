package gitsync

import "context"

func (u *update) syncServices(context.Context, *snapshot) error { return nil }
