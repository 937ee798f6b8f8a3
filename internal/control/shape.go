package control

import (
	"errors"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/proton"
)

// One function for each shape, and no logic but what is absent.

// text is a string as the wire has it: absent when empty.
func text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	return api.Ptr(string(s))
}

func timestamp(t time.Time) *awsjson.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &awsjson.Timestamp{Time: t}
}

func major(v proton.Version) *string {
	if v.IsZero() {
		return nil
	}
	return api.Ptr(v.MajorString())
}

func minor(v proton.Version) *string {
	if v.IsZero() {
		return nil
	}
	return api.Ptr(v.MinorString())
}

func customerManaged(yes bool) *api.Provisioning {
	if !yes {
		return nil
	}
	return api.Ptr(api.ProvisioningCustomerManaged)
}

func toEnvironmentTemplate(t proton.Template) *api.EnvironmentTemplate {
	return &api.EnvironmentTemplate{
		Arn: text(t.ARN()), Name: &t.Name, DisplayName: text(t.DisplayName), Description: text(t.Description),
		EncryptionKey: text(t.EncryptionKey), Provisioning: customerManaged(t.CustomerManaged),
		RecommendedVersion: recommended(t), CreatedAt: timestamp(t.CreatedAt), LastModifiedAt: timestamp(t.LastModifiedAt),
	}
}

func toEnvironmentTemplateSummary(t proton.Template) api.EnvironmentTemplateSummary {
	return api.EnvironmentTemplateSummary{
		Arn: text(t.ARN()), Name: &t.Name, DisplayName: text(t.DisplayName), Description: text(t.Description),
		Provisioning: customerManaged(t.CustomerManaged), RecommendedVersion: recommended(t),
		CreatedAt: timestamp(t.CreatedAt), LastModifiedAt: timestamp(t.LastModifiedAt),
	}
}

func toServiceTemplate(t proton.Template) *api.ServiceTemplate {
	return &api.ServiceTemplate{
		Arn: text(t.ARN()), Name: &t.Name, DisplayName: text(t.DisplayName), Description: text(t.Description),
		EncryptionKey: text(t.EncryptionKey), PipelineProvisioning: customerManaged(t.CustomerManaged),
		RecommendedVersion: recommended(t), CreatedAt: timestamp(t.CreatedAt), LastModifiedAt: timestamp(t.LastModifiedAt),
	}
}

func toServiceTemplateSummary(t proton.Template) api.ServiceTemplateSummary {
	return api.ServiceTemplateSummary{
		Arn: text(t.ARN()), Name: &t.Name, DisplayName: text(t.DisplayName), Description: text(t.Description),
		PipelineProvisioning: customerManaged(t.CustomerManaged), RecommendedVersion: recommended(t),
		CreatedAt: timestamp(t.CreatedAt), LastModifiedAt: timestamp(t.LastModifiedAt),
	}
}

func recommended(t proton.Template) *string {
	if t.Recommended.IsZero() {
		return nil
	}
	return api.Ptr(t.Recommended.String())
}

// versionDetail is a version with what its siblings say of it.
type versionDetail struct {
	proton.TemplateVersion
	recommendedMinor int64 // of its major; -1 for none
}

func (v versionDetail) recommended() *string {
	if v.recommendedMinor < 0 {
		return nil
	}
	return api.Ptr(proton.Version{Minor: v.recommendedMinor}.MinorString())
}

// message is absent while registration runs and empty once it has succeeded.
func (v versionDetail) message() *string {
	if v.Status == proton.RegistrationInProgress {
		return nil
	}
	return api.Ptr(v.StatusMessage)
}

func toEnvironmentTemplateVersion(v versionDetail) *api.EnvironmentTemplateVersion {
	return &api.EnvironmentTemplateVersion{
		Arn: text(v.ARN()), TemplateName: &v.TemplateName, MajorVersion: major(v.Version), MinorVersion: minor(v.Version),
		RecommendedMinorVersion: v.recommended(), Description: text(v.Description), Schema: text(v.Schema),
		Status: api.Ptr(api.TemplateVersionStatus(v.Status)), StatusMessage: v.message(),
		CreatedAt: timestamp(v.CreatedAt), LastModifiedAt: timestamp(v.LastModifiedAt),
	}
}

func toEnvironmentTemplateVersionSummary(v versionDetail) api.EnvironmentTemplateVersionSummary {
	return api.EnvironmentTemplateVersionSummary{
		Arn: text(v.ARN()), TemplateName: &v.TemplateName, MajorVersion: major(v.Version), MinorVersion: minor(v.Version),
		RecommendedMinorVersion: v.recommended(), Description: text(v.Description),
		Status: api.Ptr(api.TemplateVersionStatus(v.Status)), StatusMessage: v.message(),
		CreatedAt: timestamp(v.CreatedAt), LastModifiedAt: timestamp(v.LastModifiedAt),
	}
}

func toServiceTemplateVersion(v versionDetail) *api.ServiceTemplateVersion {
	out := &api.ServiceTemplateVersion{
		Arn: text(v.ARN()), TemplateName: &v.TemplateName, MajorVersion: major(v.Version), MinorVersion: minor(v.Version),
		RecommendedMinorVersion: v.recommended(), Description: text(v.Description), Schema: text(v.Schema),
		Status: api.Ptr(api.TemplateVersionStatus(v.Status)), StatusMessage: v.message(),
		CreatedAt: timestamp(v.CreatedAt), LastModifiedAt: timestamp(v.LastModifiedAt),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplate{},
	}
	for _, c := range v.Compatible {
		out.CompatibleEnvironmentTemplates = append(out.CompatibleEnvironmentTemplates, api.CompatibleEnvironmentTemplate{
			TemplateName: api.Ptr(c.Name), MajorVersion: api.Ptr(proton.Version{Major: c.Major}.MajorString()),
		})
	}
	for _, source := range v.ComponentSources {
		out.SupportedComponentSources = append(out.SupportedComponentSources, api.ServiceTemplateSupportedComponentSourceType(source))
	}
	return out
}

func toServiceTemplateVersionSummary(v versionDetail) api.ServiceTemplateVersionSummary {
	return api.ServiceTemplateVersionSummary{
		Arn: text(v.ARN()), TemplateName: &v.TemplateName, MajorVersion: major(v.Version), MinorVersion: minor(v.Version),
		RecommendedMinorVersion: v.recommended(), Description: text(v.Description),
		Status: api.Ptr(api.TemplateVersionStatus(v.Status)), StatusMessage: v.message(),
		CreatedAt: timestamp(v.CreatedAt), LastModifiedAt: timestamp(v.LastModifiedAt),
	}
}

func toEnvironment(e proton.Environment) *api.Environment {
	v := e.CurrentVersionShown()
	return &api.Environment{
		Arn: text(e.ARN()), Name: &e.Name, Description: text(e.Description), TemplateName: &e.TemplateName,
		TemplateMajorVersion: major(v), TemplateMinorVersion: minor(v), Spec: text(e.Spec),
		Provisioning: customerManaged(e.CustomerManaged), ProtonServiceRoleArn: text(e.ServiceRoleARN),
		CodebuildRoleArn: text(e.CodebuildRoleARN), ComponentRoleArn: text(e.ComponentRoleARN),
		EnvironmentAccountConnectionId: text(e.AccountConnectionID), EnvironmentAccountId: text(e.AccountID),
		ProvisioningRepository: toRepositoryBranch(e.Scope, e.ProvisioningRepository),
		DeploymentStatus:       api.Ptr(api.DeploymentStatus(e.Status)), DeploymentStatusMessage: text(e.StatusMessage),
		CreatedAt: timestamp(e.CreatedAt), LastDeploymentAttemptedAt: timestamp(e.LastAttemptedAt),
		LastDeploymentSucceededAt: timestamp(e.LastSucceededAt), LastAttemptedDeploymentId: text(e.LastAttemptedDeploymentID),
		LastSucceededDeploymentId: text(e.LastSucceededDeploymentID),
	}
}

func toEnvironmentSummary(e proton.Environment) api.EnvironmentSummary {
	v := e.CurrentVersionShown()
	return api.EnvironmentSummary{
		Arn: text(e.ARN()), Name: &e.Name, Description: text(e.Description), TemplateName: &e.TemplateName,
		TemplateMajorVersion: major(v), TemplateMinorVersion: minor(v),
		Provisioning: customerManaged(e.CustomerManaged), ProtonServiceRoleArn: text(e.ServiceRoleARN),
		ComponentRoleArn: text(e.ComponentRoleARN), EnvironmentAccountConnectionId: text(e.AccountConnectionID),
		EnvironmentAccountId: text(e.AccountID),
		DeploymentStatus:     api.Ptr(api.DeploymentStatus(e.Status)), DeploymentStatusMessage: text(e.StatusMessage),
		CreatedAt: timestamp(e.CreatedAt), LastDeploymentAttemptedAt: timestamp(e.LastAttemptedAt),
		LastDeploymentSucceededAt: timestamp(e.LastSucceededAt), LastAttemptedDeploymentId: text(e.LastAttemptedDeploymentID),
		LastSucceededDeploymentId: text(e.LastSucceededDeploymentID),
	}
}

func toRepositoryBranch(s proton.Scope, r *proton.ProvisioningRepository) *api.RepositoryBranch {
	if r == nil {
		return nil
	}
	return &api.RepositoryBranch{
		Arn: text(s.RepositoryARN(r.Provider, r.Name)), Name: &r.Name, Branch: &r.Branch,
		Provider: api.Ptr(api.RepositoryProvider(r.Provider)),
	}
}

// toService leaves out the pipeline, which only GetService shows.
func toService(s proton.Service) *api.Service {
	return &api.Service{
		Arn: text(s.ARN()), Name: &s.Name, TemplateName: &s.TemplateName, Description: text(s.Description),
		BranchName: text(s.BranchName), RepositoryConnectionArn: text(s.RepositoryConnectionARN),
		RepositoryId: text(s.RepositoryID), Spec: text(s.Spec),
		Status: api.Ptr(api.ServiceStatus(s.Status)), StatusMessage: text(s.StatusMessage),
		CreatedAt: timestamp(s.CreatedAt), LastModifiedAt: timestamp(s.LastModifiedAt),
	}
}

func toServiceSummary(s proton.Service) api.ServiceSummary {
	return api.ServiceSummary{
		Arn: text(s.ARN()), Name: &s.Name, TemplateName: &s.TemplateName, Description: text(s.Description),
		Status: api.Ptr(api.ServiceStatus(s.Status)), StatusMessage: text(s.StatusMessage),
		CreatedAt: timestamp(s.CreatedAt), LastModifiedAt: timestamp(s.LastModifiedAt),
	}
}

func toPipeline(p *proton.Pipeline) *api.ServicePipeline {
	if p == nil {
		return nil
	}
	v := p.CurrentVersionShown()
	return &api.ServicePipeline{
		Arn: text(p.ARN()), TemplateName: &p.TemplateName, TemplateMajorVersion: major(v), TemplateMinorVersion: minor(v),
		Spec: text(p.Spec), DeploymentStatus: api.Ptr(api.DeploymentStatus(p.Status)), DeploymentStatusMessage: text(p.StatusMessage),
		CreatedAt: timestamp(p.CreatedAt), LastDeploymentAttemptedAt: timestamp(p.LastAttemptedAt),
		LastDeploymentSucceededAt: timestamp(p.LastSucceededAt), LastAttemptedDeploymentId: text(p.LastAttemptedDeploymentID),
		LastSucceededDeploymentId: text(p.LastSucceededDeploymentID),
	}
}

func toServiceInstance(i proton.ServiceInstance) *api.ServiceInstance {
	v := i.CurrentVersionShown()
	return &api.ServiceInstance{
		Arn: text(i.ARN()), Name: &i.Name, ServiceName: &i.ServiceName, EnvironmentName: &i.EnvironmentName,
		TemplateName: &i.TemplateName, TemplateMajorVersion: major(v), TemplateMinorVersion: minor(v), Spec: text(i.Spec),
		DeploymentStatus: api.Ptr(api.DeploymentStatus(i.Status)), DeploymentStatusMessage: text(i.StatusMessage),
		CreatedAt: timestamp(i.CreatedAt), LastDeploymentAttemptedAt: timestamp(i.LastAttemptedAt),
		LastDeploymentSucceededAt: timestamp(i.LastSucceededAt), LastAttemptedDeploymentId: text(i.LastAttemptedDeploymentID),
		LastSucceededDeploymentId: text(i.LastSucceededDeploymentID), LastClientRequestToken: text(i.LastClientToken),
	}
}

func toServiceInstanceSummary(i proton.ServiceInstance) api.ServiceInstanceSummary {
	v := i.CurrentVersionShown()
	return api.ServiceInstanceSummary{
		Arn: text(i.ARN()), Name: &i.Name, ServiceName: &i.ServiceName, EnvironmentName: &i.EnvironmentName,
		TemplateName: &i.TemplateName, TemplateMajorVersion: major(v), TemplateMinorVersion: minor(v),
		DeploymentStatus: api.Ptr(api.DeploymentStatus(i.Status)), DeploymentStatusMessage: text(i.StatusMessage),
		CreatedAt: timestamp(i.CreatedAt), LastDeploymentAttemptedAt: timestamp(i.LastAttemptedAt),
		LastDeploymentSucceededAt: timestamp(i.LastSucceededAt), LastAttemptedDeploymentId: text(i.LastAttemptedDeploymentID),
		LastSucceededDeploymentId: text(i.LastSucceededDeploymentID),
	}
}

func toComponent(c proton.Component) *api.Component {
	return &api.Component{
		Arn: text(c.ARN()), Name: &c.Name, Description: text(c.Description), EnvironmentName: &c.EnvironmentName,
		ServiceName: text(c.ServiceName), ServiceInstanceName: text(c.InstanceName), ServiceSpec: text(c.ServiceSpec),
		DeploymentStatus: api.Ptr(api.DeploymentStatus(c.Status)), DeploymentStatusMessage: text(c.StatusMessage),
		CreatedAt: timestamp(c.CreatedAt), LastModifiedAt: timestamp(c.LastModifiedAt), LastDeploymentAttemptedAt: timestamp(c.LastAttemptedAt),
		LastDeploymentSucceededAt: timestamp(c.LastSucceededAt), LastAttemptedDeploymentId: text(c.LastAttemptedDeploymentID),
		LastSucceededDeploymentId: text(c.LastSucceededDeploymentID), LastClientRequestToken: text(c.LastClientToken),
	}
}

func toComponentSummary(c proton.Component) api.ComponentSummary {
	return api.ComponentSummary{
		Arn: text(c.ARN()), Name: &c.Name, EnvironmentName: &c.EnvironmentName,
		ServiceName: text(c.ServiceName), ServiceInstanceName: text(c.InstanceName),
		DeploymentStatus: api.Ptr(api.DeploymentStatus(c.Status)), DeploymentStatusMessage: text(c.StatusMessage),
		CreatedAt: timestamp(c.CreatedAt), LastModifiedAt: timestamp(c.LastModifiedAt), LastDeploymentAttemptedAt: timestamp(c.LastAttemptedAt),
		LastDeploymentSucceededAt: timestamp(c.LastSucceededAt), LastAttemptedDeploymentId: text(c.LastAttemptedDeploymentID),
		LastSucceededDeploymentId: text(c.LastSucceededDeploymentID),
	}
}

func toDeployment(d proton.Deployment) *api.Deployment {
	return &api.Deployment{
		Arn: text(d.ARN()), Id: &d.ID, DeploymentStatus: api.Ptr(api.DeploymentStatus(d.Status)),
		DeploymentStatusMessage: text(d.StatusMessage), EnvironmentName: text(d.EnvironmentName), ServiceName: text(d.ServiceName),
		ServiceInstanceName: text(d.InstanceName), ComponentName: text(d.ComponentName), TargetArn: text(d.TargetARN()),
		TargetResourceType: api.Ptr(api.DeploymentTargetResourceType(d.TargetType)), TargetResourceCreatedAt: timestamp(d.TargetCreatedAt),
		CreatedAt: timestamp(d.CreatedAt), LastModifiedAt: timestamp(d.LastModifiedAt), CompletedAt: timestamp(d.CompletedAt),
		LastAttemptedDeploymentId: text(d.PrecedingAttemptedID), LastSucceededDeploymentId: text(d.PrecedingSucceededID),
		InitialState: toState(d, d.Initial), TargetState: toTargetState(d),
	}
}

func toDeploymentSummary(d proton.Deployment) api.DeploymentSummary {
	return api.DeploymentSummary{
		Arn: text(d.ARN()), Id: &d.ID, DeploymentStatus: api.Ptr(api.DeploymentStatus(d.Status)),
		EnvironmentName: text(d.EnvironmentName), ServiceName: text(d.ServiceName),
		ServiceInstanceName: text(d.InstanceName), ComponentName: text(d.ComponentName), TargetArn: text(d.TargetARN()),
		TargetResourceType: api.Ptr(api.DeploymentTargetResourceType(d.TargetType)), TargetResourceCreatedAt: timestamp(d.TargetCreatedAt),
		CreatedAt: timestamp(d.CreatedAt), LastModifiedAt: timestamp(d.LastModifiedAt), CompletedAt: timestamp(d.CompletedAt),
		LastAttemptedDeploymentId: text(d.PrecedingAttemptedID), LastSucceededDeploymentId: text(d.PrecedingSucceededID),
	}
}

// toTargetState is absent for deletes: they make nothing.
func toTargetState(d proton.Deployment) *api.DeploymentState {
	if d.Goal == proton.GoalDestroy {
		return nil
	}
	return toState(d, d.Target)
}

func toState(d proton.Deployment, s proton.State) *api.DeploymentState {
	if c := s.Component; c != nil {
		return &api.DeploymentState{Component: &api.ComponentState{
			ServiceName: &c.ServiceName, ServiceInstanceName: &c.InstanceName, // empty while detached
			ServiceSpec: text(c.ServiceSpec), TemplateFile: &c.TemplateFile,
		}}
	}
	if s.Version.IsZero() {
		return nil
	}
	switch d.TargetType {
	case proton.TargetEnvironment:
		return &api.DeploymentState{Environment: &api.EnvironmentState{
			TemplateName: &s.TemplateName, TemplateMajorVersion: major(s.Version), TemplateMinorVersion: minor(s.Version), Spec: text(s.Spec),
		}}
	case proton.TargetPipeline:
		return &api.DeploymentState{ServicePipeline: &api.ServicePipelineState{
			TemplateName: &s.TemplateName, TemplateMajorVersion: major(s.Version), TemplateMinorVersion: minor(s.Version), Spec: text(s.Spec),
		}}
	case proton.TargetServiceInstance:
		return &api.DeploymentState{ServiceInstance: &api.ServiceInstanceState{
			TemplateName: &s.TemplateName, TemplateMajorVersion: major(s.Version), TemplateMinorVersion: minor(s.Version), Spec: text(s.Spec),
			LastSuccessfulEnvironmentDeploymentId:     text(s.EnvironmentDeploymentID),
			LastSuccessfulServicePipelineDeploymentId: text(s.PipelineDeploymentID),
			LastSuccessfulComponentDeploymentIds:      s.ComponentDeploymentIDs,
		}}
	}
	return nil
}

// sensitiveValue stands in lists for an output that only templates may read.
const sensitiveValue = "<sensitive>"

func toOutputs(outputs []proton.Output) []api.Output {
	list := make([]api.Output, 0, len(outputs))
	for _, o := range outputs {
		value := o.Value
		if o.Sensitive {
			value = sensitiveValue
		}
		list = append(list, api.Output{Key: &o.Key, ValueString: &value})
	}
	return list
}

func toProvisionedResources(resources []proton.ProvisionedResource) []api.ProvisionedResource {
	list := make([]api.ProvisionedResource, 0, len(resources))
	for _, r := range resources {
		list = append(list, api.ProvisionedResource{
			Name: &r.Name, Identifier: &r.Identifier, ProvisioningEngine: api.Ptr(api.ProvisionedResourceEngine(r.Engine)),
		})
	}
	return list
}

func toAccountSettings(a proton.AccountSettings) *api.AccountSettings {
	return &api.AccountSettings{
		PipelineServiceRoleArn: text(a.PipelineServiceRoleARN), PipelineCodebuildRoleArn: text(a.PipelineCodebuildRoleARN),
		PipelineProvisioningRepository: toRepositoryBranch(a.Scope, a.PipelineRepository),
	}
}

func toTags(tags []proton.Tag) []api.Tag {
	list := make([]api.Tag, 0, len(tags))
	for _, t := range tags {
		list = append(list, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return list
}

func fromTags(tags []api.Tag) []proton.Tag {
	list := make([]proton.Tag, 0, len(tags))
	for _, t := range tags {
		list = append(list, proton.Tag{Key: api.Value(t.Key), Value: api.Value(t.Value)})
	}
	return list
}

func fromOutputs(outputs []api.Output) []proton.Output {
	list := make([]proton.Output, 0, len(outputs))
	for _, o := range outputs {
		list = append(list, proton.Output{Key: api.Value(o.Key), Value: api.Value(o.ValueString)})
	}
	return list
}

func toList[T, U any](rows []T, shape func(T) U) []U {
	list := make([]U, 0, len(rows))
	for _, row := range rows {
		list = append(list, shape(row))
	}
	return list
}

func asRefusal(err error) (*proton.Error, bool) { return errors.AsType[*proton.Error](err) }
