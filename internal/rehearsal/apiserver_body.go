package rehearsal

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	k8sjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// readBody decodes the object in a request. Typed clients send the built-in kinds as protobuf; every answer is JSON,
// which they read as well. An empty body is an empty object.
func readBody(r *http.Request) (*unstructured.Unstructured, error) {
	data, err := readAll(r)
	if err != nil || len(data) == 0 {
		return &unstructured.Unstructured{Object: map[string]any{}}, err
	}
	switch media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media {
	case runtime.ContentTypeJSON, "":
		return decodeObject(data)
	case runtime.ContentTypeYAML:
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return decodeObject(data)
	case runtime.ContentTypeProtobuf:
		return decodeProtobuf(data)
	default:
		return nil, unsupportedMedia(media)
	}
}

func decodeObject(data []byte) (*unstructured.Unstructured, error) {
	object := map[string]any{}
	if err := k8sjson.Unmarshal(data, &object); err != nil {
		return nil, apierrors.NewBadRequest("couldn't get version/kind; json parse error: " + err.Error())
	}
	if object == nil {
		object = map[string]any{}
	}
	return &unstructured.Unstructured{Object: object}, nil
}

func decodeProtobuf(data []byte) (*unstructured.Unstructured, error) {
	typed, gvk, err := protobuf.NewSerializer(builtinScheme(), builtinScheme()).Decode(data, nil, nil)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(*gvk)
	return object, nil
}

func readAll(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", tooLarge.Limit))
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return data, nil
}

func unsupportedMedia(media string) error {
	return &apierrors.StatusError{ErrStatus: statusOf(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType,
		fmt.Sprintf("the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, "+
			"application/vnd.kubernetes.protobuf, not %q", media))}
}
