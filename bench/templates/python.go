package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

//go:embed reference.py
var script string

// python is a running interpreter that measures the same cases on request.
type python struct {
	version string
	outputs []string
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// startPython starts the interpreter that HADRON_PYTHON names; without one it
// returns nil.
func startPython(cases []*renderCase) (*python, error) {
	interpreter := os.Getenv("HADRON_PYTHON")
	if interpreter == "" {
		fmt.Println("HADRON_PYTHON is not set: there is no comparison with Jinja2")
		return nil, nil
	}
	p := &python{command: exec.Command(interpreter, "-c", script)}
	p.command.Stderr = os.Stderr
	var err error
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start Python: %w", err)
	}
	request, err := json.Marshal(cases)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Version string
		Outputs []string
	}
	if err := p.ask(request, &answer); err != nil {
		return nil, err
	}
	if len(answer.Outputs) != len(cases) {
		return nil, fmt.Errorf("Python rendered %d of %d cases", len(answer.Outputs), len(cases))
	}
	p.version, p.outputs = answer.Version, answer.Outputs
	return p, nil
}

func (p *python) ask(line []byte, answer any) error {
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("ask Python: %w", err)
	}
	text, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read Python's answer: %w", err)
	}
	return json.Unmarshal(text, answer)
}

func (p *python) pass() (s seconds, err error) {
	err = p.ask(nil, &s)
	return s, err
}

func (p *python) close() {
	if p != nil {
		p.in.Close()
		_ = p.command.Wait() // it has answered all that counts
	}
}
