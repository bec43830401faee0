#!/bin/sh
# Behaves as adb does, for a phone that is a folder: it runs the scripts that it gets in a shell of this machine.
# FAKE_PHONE is that folder, FAKE_PROGRAM is run for each benchmark_model, FAKE_FAULT says what is wrong with the phone.
{ printf '%s ' "$@" | tr '\n' ' '; echo; } >> "$FAKE_PHONE/calls.txt"

refuse() { echo "$1" >&2; exit 1; }

case "$1" in
start-server) exit 0 ;;
devices) printf 'List of devices attached\nR58\tdevice\nX99\tunauthorized\n\n'; exit 0 ;;
esac
[ "$1 $2" = "-s R58" ] || refuse "error: device '$2' not found"

case "$FAKE_FAULT" in
unauthorized) refuse "error: device unauthorized.
This adb server's \$ADB_VENDOR_KEYS is not set" ;;
offline) refuse "error: device offline" ;;
absent) refuse "error: device 'R58' not found" ;;
several) refuse "error: more than one device/emulator" ;;
"no permissions") refuse "error: insufficient permissions for device: user in plugdev group; are your udev rules wrong?" ;;
"no server") refuse "error: cannot connect to daemon at tcp:5037: Connection refused" ;;
esac

case "$3" in
get-state)
    if [ "$FAKE_FAULT" = recovery ]; then echo recovery; else echo device; fi
    exit 0 ;;
push)
    place="$FAKE_PHONE$5"
    mkdir -p "${place%/*}"
    case "$FAKE_FAULT" in
    "no space" | "read only" | "unplugged in push") echo half > "$place" ;;
    esac
    case "$FAKE_FAULT" in
    "no space") refuse "adb: error: failed to copy '$4' to '$5': remote write failed: No space left on device" ;;
    "read only") refuse "adb: error: failed to copy '$4' to '$5': remote couldn't create file: Permission denied" ;;
    "unplugged in push") refuse "adb: error: failed to read copy response" ;;
    damaged) echo damaged > "$place" ;;
    *) cp "$4" "$place" ;;
    esac
    exit 0 ;;
esac

getprop() {
    abis=arm64-v8a,armeabi-v7a qemu=0
    [ "$FAKE_FAULT" = "32 bit" ] && abis=armeabi-v7a,armeabi
    [ "$FAKE_FAULT" = emulator ] && qemu=1
    cat <<END
[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 7]
[ro.soc.manufacturer]: [Google]
[ro.soc.model]: [GS201]
[ro.build.version.release]: [14]
[ro.product.cpu.abilist]: [$abis]
[ro.kernel.qemu]: [$qemu]
END
}

dumpsys() {
    if [ "$1" = thermalservice ]; then
        if [ "$FAKE_FAULT" = hot ]; then echo "Thermal Status: 3"; else echo "Thermal Status: 0"; fi
    else
        cat <<END
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  level: 81
  temperature: 301
END
    fi
}

settings() { if [ "$FAKE_FAULT" = saver ]; then echo 1; else echo 0; fi; }

case "$4" in
*"exec "*) [ "$FAKE_FAULT" = "unplugged in run" ] && refuse "error: device 'R58' not found" ;;
esac
eval "$(printf '%s\n' "$4" |
    sed -E "s#exec [^ ']+/[0-9a-f]{64}-benchmark_model#exec $FAKE_PROGRAM#; s#/data/local/tmp#$FAKE_PHONE/data/local/tmp#g")"
