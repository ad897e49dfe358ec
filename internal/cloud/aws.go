package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/penstock-dev/penstock/internal/metric"
)

const (
	// sessionName is what CloudTrail shows of a role that a run has assumed.
	sessionName = "penstock"

	// machineTimeout is how long the metadata service of a machine has. Where there is none, nobody answers.
	machineTimeout = time.Second

	// taskAddress is where the agent of ECS answers: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
	taskAddress = "http://169.254.170.2"
)

// awsLogin is who asks AWS: keys, or a token of an identity provider, or else whoever the machine is; and the role that is
// then assumed.
type awsLogin struct {
	region             string
	id, secret, token  string
	role, external     string
	identity           string // token of an identity provider
	identityFile       string // where that token is
	container          string // URL that hands out keys
	containerToken     string
	containerTokenFile string
	machine            bool // the metadata service of the machine is asked
}

// loginOf reads the Secret, and where that names nobody the environment, in the order of the SDKs of AWS:
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html. Profiles and SSO are left out: they are
// of workstations.
func loginOf(a *metric.AWS, env func(string) string) awsLogin {
	c := a.Login
	login := awsLogin{region: a.Region, role: c.Get(metric.AWSRole), external: c.Get(metric.AWSExternal)}
	login.id, login.secret, login.token = c.Get(metric.AWSKeyID), c.Get(metric.AWSSecret), c.Get(metric.AWSSession)
	login.identity = c.Get(metric.AWSIdentity)
	if login.id != "" || login.identity != "" {
		return login
	}
	own := login.role == ""
	switch {
	case env("AWS_ACCESS_KEY_ID") != "" && env("AWS_SECRET_ACCESS_KEY") != "":
		login.id, login.secret, login.token = env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"), env("AWS_SESSION_TOKEN")
	case env("AWS_WEB_IDENTITY_TOKEN_FILE") != "" && (!own || env("AWS_ROLE_ARN") != ""):
		login.identityFile = env("AWS_WEB_IDENTITY_TOKEN_FILE")
		if own {
			login.role = env("AWS_ROLE_ARN")
		}
	case env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "":
		login.container = taskAddress + env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	case env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		login.container = env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
		login.containerToken, login.containerTokenFile = env("AWS_CONTAINER_AUTHORIZATION_TOKEN"), env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
	default:
		login.machine = env("AWS_EC2_METADATA_DISABLED") != "true"
	}
	return login
}

var errNobody = errors.New("there are none: the template names no Secret, and the environment has neither AWS_ACCESS_KEY_ID and " +
	"AWS_SECRET_ACCESS_KEY nor AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN")

// credentials fetches the keys of a login. Nothing is tried again here: the check that needs them is.
func (s *Signer) credentials(ctx context.Context, login awsLogin) (aws.Credentials, error) {
	client := func(keys aws.CredentialsProvider) *sts.Client {
		return sts.New(sts.Options{Region: login.region, HTTPClient: s.HTTP, Credentials: keys, Retryer: aws.NopRetryer{}})
	}
	if login.identity != "" || login.identityFile != "" {
		return stscreds.NewWebIdentityRoleProvider(client(aws.AnonymousCredentials{}), login.role, identity(login),
			func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = sessionName }).Retrieve(ctx)
	}
	keys, err := s.keys(ctx, login)
	if err != nil || login.role == "" {
		return keys, err
	}
	found, err := stscreds.NewAssumeRoleProvider(client(credentials.StaticCredentialsProvider{Value: keys}), login.role,
		func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = sessionName
			if login.external != "" {
				o.ExternalID = aws.String(login.external)
			}
		}).Retrieve(ctx)
	if err != nil {
		return found, fmt.Errorf("assume the role: %w", err)
	}
	return found, nil
}

// keys returns the keys of whoever asks before any role is assumed.
func (s *Signer) keys(ctx context.Context, login awsLogin) (aws.Credentials, error) {
	switch {
	case login.id != "":
		return aws.Credentials{AccessKeyID: login.id, SecretAccessKey: login.secret, SessionToken: login.token}, nil
	case login.container != "":
		return s.ofContainer(ctx, login)
	case !login.machine:
		return aws.Credentials{}, errNobody
	}
	asked, cancel := context.WithTimeout(ctx, machineTimeout)
	defer cancel()
	found, err := ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.New(imds.Options{HTTPClient: s.HTTP, Retryer: aws.NopRetryer{}})
	}).Retrieve(asked)
	if err != nil && ctx.Err() == nil {
		return found, fmt.Errorf("%w; and no role of the machine was found", errNobody)
	}
	return found, err
}

// ofContainer asks the agent that a container has beside it, as on ECS and with EKS Pod Identity.
func (s *Signer) ofContainer(ctx context.Context, login awsLogin) (aws.Credentials, error) {
	token := login.containerToken
	if login.containerTokenFile != "" {
		text, err := readFile("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", login.containerTokenFile)
		if err != nil {
			return aws.Credentials{}, err
		}
		token = text
	}
	return endpointcreds.New(login.container, func(o *endpointcreds.Options) {
		o.HTTPClient, o.AuthorizationToken, o.Retryer = s.HTTP, token, aws.NopRetryer{}
	}).Retrieve(ctx)
}

// identityToken is the token of an identity provider, as the job has it.
type identityToken string

// GetIdentityToken returns it.
func (t identityToken) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

func identity(login awsLogin) stscreds.IdentityTokenRetriever {
	if login.identityFile != "" {
		return stscreds.IdentityTokenFile(login.identityFile) // read anew each time: whoever wrote it may renew it
	}
	return identityToken(login.identity)
}
