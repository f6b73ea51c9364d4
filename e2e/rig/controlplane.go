package rig

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
)

// nodeName is the one node, which kwok pretends to run.
const nodeName = "fake-0"

// kubeconfig names the namespace that Argo CD takes for its own.
const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: range, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: %s}}]
contexts: [{name: range, context: {cluster: range, user: admin, namespace: argocd}}]
current-context: range
`

//go:embed stages.yaml
var stages []byte

func (r *Rig) startControlPlane(ctx context.Context) error {
	if err := r.writeCredentials(); err != nil {
		return err
	}
	if err := r.startEtcd(ctx); err != nil {
		return err
	}
	if err := r.startAPIServer(ctx); err != nil {
		return err
	}
	return together(ctx, r.startControllerManager, r.startScheduler, r.startKwok)
}

// writeCredentials makes the key that signs service account tokens, the administrator's token, and the kubeconfig.
func (r *Rig) writeCredentials() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making the service account key: %w", err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	token := rand.Text()
	r.Kube = newKube("https://"+r.addr("kube-apiserver"), token)
	for name, content := range map[string][]byte{
		"pki/service-accounts.key": private,
		"pki/tokens.csv":           fmt.Appendf(nil, "%s,admin,admin,system:masters\n", token),
		"kubeconfig":               fmt.Appendf(nil, kubeconfig, r.addr("kube-apiserver"), token),
		"stages.yaml":              stages,
	} {
		if err := os.WriteFile(r.path(name), content, 0o600); err != nil {
			return fmt.Errorf("writing credentials: %w", err)
		}
	}
	return nil
}

func (r *Rig) startEtcd(ctx context.Context) error {
	client, peer := "http://"+r.addr("etcd"), "http://"+r.addr("etcd-peer")
	_, err := r.start(ctx, "etcd", r.programs["etcd"], []string{
		"--data-dir=" + r.path("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		"--unsafe-no-fsync", // nothing here is worth surviving a power cut
		"--log-level=warn",
	}, answers(client+"/health"))
	return err
}

func (r *Rig) startAPIServer(ctx context.Context) error {
	_, err := r.start(ctx, "kube-apiserver", r.programs["kube-apiserver"], []string{
		"--etcd-servers=http://" + r.addr("etcd"),
		fmt.Sprintf("--secure-port=%d", r.ports["kube-apiserver"]),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--cert-dir=" + r.path("pki/apiserver"),
		"--service-account-issuer=https://range",
		"--service-account-key-file=" + r.path("pki/service-accounts.key"),
		"--service-account-signing-key-file=" + r.path("pki/service-accounts.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		"--token-auth-file=" + r.path("pki/tokens.csv"), "--authorization-mode=RBAC",
		// Pods need no service account here. No controller would take a new node's not-ready taint away again.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
	}, func(ctx context.Context) error {
		_, err := r.Kube.do(ctx, http.MethodGet, "/readyz", "", nil)
		return err
	})
	return err
}

func (r *Rig) startControllerManager(ctx context.Context) error {
	_, err := r.start(ctx, "kube-controller-manager", r.programs["kube-controller-manager"], []string{
		"--kubeconfig=" + r.path("kubeconfig"), "--leader-elect=false",
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", r.ports["kube-controller-manager"]),
		"--service-account-private-key-file=" + r.path("pki/service-accounts.key"), "--use-service-account-credentials=false",
		// What looks after real nodes would only wonder about ours.
		"--controllers=*,-node-ipam-controller,-node-route-controller,-cloud-node-lifecycle-controller,-service-lb-controller,-node-lifecycle-controller",
	}, answers("https://"+r.addr("kube-controller-manager")+"/healthz"))
	return err
}

func (r *Rig) startScheduler(ctx context.Context) error {
	_, err := r.start(ctx, "kube-scheduler", r.programs["kube-scheduler"], []string{
		"--kubeconfig=" + r.path("kubeconfig"), "--leader-elect=false",
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", r.ports["kube-scheduler"]),
	}, answers("https://"+r.addr("kube-scheduler")+"/healthz"))
	return err
}

// startKwok starts the pretended kubelet and its node, which is ready when this returns.
func (r *Rig) startKwok(ctx context.Context) error {
	_, err := r.start(ctx, "kwok", r.programs["kwok"], []string{
		"--kubeconfig=" + r.path("kubeconfig"), "--config=" + r.path("stages.yaml"),
		"--manage-all-nodes=true", "--node-lease-duration-seconds=40",
		"--server-address=" + r.addr("kwok"),
	}, answers("http://"+r.addr("kwok")+"/healthz"))
	if err != nil {
		return err
	}
	room := map[string]string{"cpu": "256", "memory": "1Ti", "pods": "10000"}
	node := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{"name": nodeName, "labels": map[string]string{
			"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": nodeName,
		}},
		"status": map[string]any{"allocatable": room, "capacity": room},
	}
	if err := r.Kube.Create(ctx, "/api/v1/nodes", node); err != nil {
		return fmt.Errorf("making the node: %w", err)
	}
	return until(ctx, readyTimeout, "the node to be ready", func(ctx context.Context) (bool, error) {
		var live struct {
			Status struct{ Conditions []condition }
		}
		err := r.Kube.Get(ctx, "/api/v1/nodes/"+nodeName, &live)
		return isTrue(live.Status.Conditions, "Ready"), err
	})
}

// answers is a probe: does url answer with 200? Certificates are those the components make themselves.
func answers(url string) func(context.Context) error {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	client := &http.Client{Transport: transport}
	return func(ctx context.Context) error {
		_, err := request(ctx, client, http.MethodGet, url, "", "", nil)
		return err
	}
}
