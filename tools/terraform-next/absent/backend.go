// Package absent stands for every state backend that is a Go module of its own within Terraform's
// repository: no module proxy has those modules, and nothing here keeps a state in a cloud.
package absent

import (
	"errors"

	"github.com/hashicorp/terraform/internal/backend"
	"github.com/hashicorp/terraform/internal/configs/configschema"
	"github.com/hashicorp/terraform/internal/states/statemgr"
	"github.com/hashicorp/terraform/internal/tfdiags"
	"github.com/zclconf/go-cty/cty"
)

var errAbsent = errors.New("this build of Terraform, for tests, has no such backend: use local, http or remote")

// New is what Terraform calls to have the backend.
func New() backend.Backend { return absent{} }

type absent struct{}

func (absent) ConfigSchema() *configschema.Block { return &configschema.Block{} }

func (absent) PrepareConfig(config cty.Value) (cty.Value, tfdiags.Diagnostics) {
	return config, tfdiags.Diagnostics{}.Append(errAbsent)
}

func (absent) Configure(cty.Value) tfdiags.Diagnostics {
	return tfdiags.Diagnostics{}.Append(errAbsent)
}

func (absent) StateMgr(string) (statemgr.Full, tfdiags.Diagnostics) {
	return nil, tfdiags.Diagnostics{}.Append(errAbsent)
}

func (absent) DeleteWorkspace(string, bool) tfdiags.Diagnostics {
	return tfdiags.Diagnostics{}.Append(errAbsent)
}

func (absent) Workspaces() ([]string, tfdiags.Diagnostics) {
	return nil, tfdiags.Diagnostics{}.Append(errAbsent)
}
