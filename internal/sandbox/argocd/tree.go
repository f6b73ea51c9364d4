package argocd

import (
	"fmt"
	"strconv"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// tree is every object of the namespace that is listed, with its parents, as the controller
// caches it for ResourceTree.
func (n *namespace) tree() (*v1alpha1.ApplicationTree, error) {
	tree := &v1alpha1.ApplicationTree{}
	add := func(o object, info []v1alpha1.InfoItem, images []string) error {
		node, err := node(o)
		if err != nil {
			return err
		}
		node.Info, node.Images = info, images
		tree.Nodes = append(tree.Nodes, node)
		return nil
	}
	if n.service != nil {
		if err := add(n.service, nil, nil); err != nil {
			return nil, err
		}
	}
	for _, w := range n.listed() {
		if err := add(w.deployment, rolloutInfo(w.deployment), nil); err != nil {
			return nil, err
		}
		for _, s := range w.sets {
			if err := add(s.object, rolloutInfo(s.object), nil); err != nil {
				return nil, err
			}
			for _, p := range s.pods {
				if err := add(p.object, p.info(), p.images()); err != nil {
					return nil, err
				}
			}
		}
	}
	return tree, nil
}

func node(o object) (v1alpha1.ResourceNode, error) {
	h, err := healthOf(o)
	if err != nil {
		return v1alpha1.ResourceNode{}, err
	}
	gvk, created := o.GetObjectKind().GroupVersionKind(), o.GetCreationTimestamp()
	n := v1alpha1.ResourceNode{
		ResourceRef: v1alpha1.ResourceRef{
			Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind,
			Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID()),
		},
		CreatedAt: &created,
	}
	if h.Status != "" {
		n.Health = h
	}
	for _, parent := range o.GetOwnerReferences() {
		n.ParentRefs = append(n.ParentRefs, v1alpha1.ResourceRef{
			Group: "apps", Kind: parent.Kind, Namespace: o.GetNamespace(), Name: parent.Name, UID: string(parent.UID),
		})
	}
	return n, nil
}

func rolloutInfo(o object) []v1alpha1.InfoItem {
	if revision := o.GetAnnotations()[revisionAnnotation]; revision != "" {
		return []v1alpha1.InfoItem{{Name: "Revision", Value: "Rev:" + revision}}
	}
	return nil
}

// info is what Argo CD shows beside a pod.
func (p *pod) info() []v1alpha1.InfoItem {
	reason, ready, restarts := string(p.object.Status.Phase), 0, 0
	for _, c := range p.object.Status.ContainerStatuses {
		if c.State.Waiting != nil {
			reason = c.State.Waiting.Reason
		}
		if c.Ready {
			ready++
		}
		restarts += int(c.RestartCount)
	}
	info := []v1alpha1.InfoItem{
		{Name: "Status Reason", Value: reason},
		{Name: "Node", Value: p.object.Spec.NodeName},
		{Name: "Containers", Value: fmt.Sprintf("%d/%d", ready, len(p.object.Spec.Containers))},
	}
	if restarts > 0 {
		info = append(info, v1alpha1.InfoItem{Name: "Restart Count", Value: strconv.Itoa(restarts)})
	}
	return info
}

func (p *pod) images() []string {
	var images []string
	for _, containers := range [][]corev1.Container{p.object.Spec.InitContainers, p.object.Spec.Containers} {
		for _, c := range containers {
			images = append(images, c.Image)
		}
	}
	return images
}
