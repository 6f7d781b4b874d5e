// Package browsertest opens pages in a real Chromium, for tests: what a page does, whether
// anything keeps people from using it, how it looks on a phone, enlarged or in the dark.
//
// Chromium is looked for on the machine. Where there is none a test is skipped, unless
// PORCHLIGHT_TEST_REQUIRE=1 says that there must be one. axe-core is read from the file that
// PORCHLIGHT_TEST_AXE names; .ci/servers.sh sets both.
package browsertest
