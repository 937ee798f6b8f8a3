package app

import (
	"fmt"

	"github.com/hadronhq/hadron/internal/events"
	"github.com/hadronhq/hadron/internal/identity"
)

// newTeller is what tells the configured targets of status changes; nil without
// any. From here on changes are kept for them.
func (s *Server) newTeller(c Config, own *identity.Source) (*events.Teller, error) {
	targets, err := c.eventTargets(own)
	if err != nil || len(targets) == 0 {
		return nil, err
	}
	t := &events.Teller{Store: s.store, Targets: targets, Owner: s.node, Logger: s.log, Told: s.metrics.told}
	t.Prepare()
	return t, nil
}

func (c Config) eventTargets(own *identity.Source) (list []events.Target, err error) {
	for _, w := range []struct {
		setting, url string
		cloudEvents  bool
	}{{"event-webhook", c.EventWebhook, false}, {"event-cloudevents", c.EventCloudevents, true}} {
		if w.url == "" {
			continue
		}
		target, err := events.Webhook(w.url, c.EventSecret, w.cloudEvents)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.setting, err)
		}
		list = append(list, target)
	}
	if c.EventFile != "" {
		list = append(list, events.File(c.EventFile))
	}
	if c.EventBus != "" {
		list = append(list, events.Bus(c.EventBus, c.EventbridgeEndpoint, own))
	}
	return list, nil
}
