// Usage: TIDINGS_URL=http://127.0.0.1:3333 TIDINGS_TOKEN=… go run publish.go TOPIC TEXT
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

type published struct {
	Cursor    string `json:"cursor"`
	Seq       int64  `json:"seq"`
	Duplicate bool   `json:"duplicate"`
}

type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// publish publishes one event. Try again with the same key and it is published once.
func publish(client *http.Client, key, topic string, data any) (published, error) {
	body, err := json.Marshal(map[string]any{"topics": topic, "data": data})
	if err != nil {
		return published{}, err
	}
	request, err := http.NewRequest(http.MethodPost, os.Getenv("TIDINGS_URL")+"/v1/publish", bytes.NewReader(body))
	if err != nil {
		return published{}, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TIDINGS_TOKEN"))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	response, err := client.Do(request)
	if err != nil {
		return published{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var refusal problem
		if err := json.NewDecoder(response.Body).Decode(&refusal); err != nil {
			return published{}, fmt.Errorf("status %d", response.StatusCode)
		}
		return published{}, fmt.Errorf("%s (%s)", refusal.Detail, refusal.Code)
	}
	var result published
	err = json.NewDecoder(response.Body).Decode(&result)
	return result, err
}

func main() {
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		panic(err)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	result, err := publish(client, hex.EncodeToString(key), os.Args[1], map[string]string{"text": os.Args[2]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(result.Cursor)
}
